//! Metrics: one table of names, read from our own counters, the media plane and the store.
//!
//! The table also makes `docs/guide/metrics.md`. Names are `fermata_AREA_NOUN_UNIT`, counters end in
//! `_total`; labels are words of tables (routes, statuses, actions, codes), so their number is bounded.

mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use fermata_node::NodeStats;
use fermata_store::StoreStats;
use fermata_turn::TurnStats;

pub use table::Metric;
use table::{NODE, OWN, Row, SFU, STORE, TURN, Type};

/// Counters of this crate.
#[derive(Debug)]
pub struct Metrics {
    own: Vec<AtomicU64>,
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    server_api: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            own: OWN.iter().map(|_| AtomicU64::new(0)).collect(),
            requests: Mutex::default(),
            server_api: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Adds to a counter or gauge.
    pub fn add(&self, metric: Metric, by: u64) {
        if let Some(counter) = self.own.get(metric as usize) {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Takes from a gauge.
    pub fn subtract(&self, metric: Metric, by: u64) {
        if let Some(counter) = self.own.get(metric as usize) {
            counter.fetch_sub(by, Ordering::Relaxed);
        }
    }

    /// Sets a gauge.
    pub fn set(&self, metric: Metric, value: u64) {
        if let Some(counter) = self.own.get(metric as usize) {
            counter.store(value, Ordering::Relaxed);
        }
    }

    /// Reads one.
    pub fn get(&self, metric: Metric) -> u64 {
        self.own.get(metric as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    /// Counts an answered request. `route` is the template, never the path itself.
    pub fn request(&self, route: &str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *requests.entry((route.to_owned(), status)).or_default() += 1;
    }

    /// Counts an answered call of the vendor's server API. Both are words of tables, so their number is bounded.
    pub fn server_api(&self, action: &'static str, code: &'static str) {
        let mut calls = self.server_api.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *calls.entry((action, code)).or_default() += 1;
    }

    /// Everything as Prometheus text (format 0.0.4).
    pub fn expose(&self, node: &NodeStats, store: &StoreStats, turn: &TurnStats) -> String {
        let mut text = String::new();
        head(&mut text, REQUESTS.0, REQUESTS.1, REQUESTS.2);
        let requests = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for ((route, status), count) in requests.iter() {
            let _ =
                writeln!(text, "{}{{route=\"{route}\",status=\"{status}\"}} {count}", REQUESTS.0);
        }
        drop(requests);
        head(&mut text, SERVER_API.0, SERVER_API.1, SERVER_API.2);
        let calls = self.server_api.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for ((action, code), count) in calls.iter() {
            let _ =
                writeln!(text, "{}{{action=\"{action}\",code=\"{code}\"}} {count}", SERVER_API.0);
        }
        drop(calls);
        for (row, value) in OWN.iter().zip(&self.own) {
            sample(&mut text, row.name, row.kind, row.help, value.load(Ordering::Relaxed));
        }
        for row in NODE {
            sample(&mut text, row.name, row.kind, row.help, (row.read)(node));
        }
        for row in SFU {
            sample(&mut text, row.name, row.kind, row.help, (row.read)(&node.sfu));
        }
        for row in STORE {
            sample(&mut text, row.name, row.kind, row.help, (row.read)(store));
        }
        for row in TURN {
            sample(&mut text, row.name, row.kind, row.help, (row.read)(turn));
        }
        head(&mut text, "fermata_build_info", Type::Gauge, BUILD_INFO);
        let _ = writeln!(text, "fermata_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        text
    }
}

const REQUESTS: (&str, Type, &str) =
    ("fermata_http_requests_total", Type::Counter, "HTTP requests answered, by route and status.");
const SERVER_API: (&str, Type, &str) = (
    "fermata_server_api_calls_total",
    Type::Counter,
    "Calls of the vendor's server API answered, by action (`unknown` before it was found) and code.",
);
const BUILD_INFO: &str = "Always 1; the label says which version runs.";

fn head(text: &mut String, name: &str, kind: Type, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
}

fn sample(text: &mut String, name: &str, kind: Type, help: &str, value: u64) {
    head(text, name, kind, help);
    let _ = writeln!(text, "{name} {value}");
}

/// The page `docs/guide/metrics.md`.
pub fn markdown() -> String {
    let mut text = String::from(PREFACE);
    let mut row = |name: &str, kind: Type, help: &str, labels: &str| {
        let _ = writeln!(text, "| `{name}` | {} | {labels} | {help} |", kind.as_str());
    };
    row("fermata_build_info", Type::Gauge, BUILD_INFO, "`version`");
    row(REQUESTS.0, REQUESTS.1, REQUESTS.2, "`route`, `status`");
    row(SERVER_API.0, SERVER_API.1, SERVER_API.2, "`action`, `code`");
    for Row { name, kind, help, .. } in OWN {
        row(name, *kind, help, "");
    }
    for Row { name, kind, help, .. } in NODE {
        row(name, *kind, help, "");
    }
    for Row { name, kind, help, .. } in SFU {
        row(name, *kind, help, "");
    }
    for Row { name, kind, help, .. } in STORE {
        row(name, *kind, help, "");
    }
    for Row { name, kind, help, .. } in TURN {
        row(name, *kind, help, "");
    }
    text
}

const PREFACE: &str = "\
# Metrics

<!-- Generated by `fermata docs metrics`; a test compares. -->

`GET /metrics` answers in Prometheus' text format.
It is open to requests from the machine itself (a loopback address and a loopback host name, not forwarded by an unknown proxy) and to operator tokens as bearer token.
Counters begin at zero when the program starts.

| name | type | labels | meaning |
| --- | --- | --- | --- |
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_well_formed_and_documented() {
        let page = markdown();
        let text = Metrics::default().expose(
            &NodeStats::default(),
            &StoreStats::default(),
            &TurnStats::default(),
        );
        let mut names = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            assert!(name.starts_with("fermata_"), "{name}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
            assert!(page.contains(&format!("`{name}`")), "{name}");
            names.push(name.to_owned());
        }
        let len = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), len);
        assert!(len > 40);
    }

    #[test]
    fn counters_count() {
        let metrics = Metrics::default();
        metrics.add(Metric::HttpForeign, 2);
        metrics.request("/rtc", 401);
        let text =
            metrics.expose(&NodeStats::default(), &StoreStats::default(), &TurnStats::default());
        assert!(text.contains("\nfermata_http_foreign_total 2\n"));
        assert!(text.contains("fermata_http_requests_total{route=\"/rtc\",status=\"401\"} 1\n"));
    }
}
