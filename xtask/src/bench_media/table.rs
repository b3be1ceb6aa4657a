//! Figures of runs: the median of rounds, ratios, a table.

use serde_json::{Value, json};

/// More of its core than this, and a server had no more to give.
const SATURATED: f64 = 0.95;

/// One run in a line.
pub(super) fn line(report: &Value) -> String {
    let limits = report.get("load_limits").and_then(Value::as_array).map_or(0, Vec::len);
    format!(
        "   {:.0} packets/s out, {:.0} for each CPU second, {:.0} % of the core, {:.3} % lost, p99 {:.1} ms{}",
        number(report, "/packets_out_per_second"),
        number(report, "/server/packets_out_per_cpu_second"),
        number(report, "/server/cpu_share") * 100.0,
        number(report, "/loss") * 100.0,
        number(report, "/latency/p99_ms"),
        if limits > 0 { "; THE LOAD WAS THE LIMIT" } else { "" },
    )
}

/// A row for each shape and server: the round of the median, with its ratio to the first server's.
pub(super) fn rows(runs: &[Value], shapes: &[&str], servers: &[&str]) -> Vec<Value> {
    let mut rows = Vec::new();
    for shape in shapes {
        let first = servers.first().and_then(|server| median(runs, shape, server));
        let ours = first.map(rate);
        for server in servers {
            let Some(report) = median(runs, shape, server) else { continue };
            let ratio = ours.map(|ours| ours / rate(report).max(1.0));
            rows.push(json!({
                "shape": shape,
                "server": server,
                "packets_out_per_second": number(report, "/packets_out_per_second"),
                "packets_out_per_cpu_second": rate(report),
                "ratio": ratio,
                "core_share": number(report, "/server/cpu_share"),
                "saturated": number(report, "/server/cpu_share") > SATURATED,
                "loss": number(report, "/loss"),
                "latency_p50_ms": number(report, "/latency/p50_ms"),
                "latency_p99_ms": number(report, "/latency/p99_ms"),
                "first_frame_p50_ms": number(report, "/first_frame/p50_ms"),
                "first_frame_p99_ms": number(report, "/first_frame/p99_ms"),
                "resident_kib": number(report, "/server/resident_kib"),
                "tracks": [number(report, "/tracks_received"), number(report, "/tracks_expected")],
                "load_core_share": number(report, "/load_cpu_seconds") / number(report, "/seconds").max(1.0),
                "load_limits": report.get("load_limits"),
            }));
        }
    }
    rows
}

/// The rows for a terminal.
pub(super) fn table(rows: &[Value]) -> String {
    let mut lines = vec![format!(
        "{:<16} {:<9} {:>9} {:>12} {:>7} {:>7} {:>8} {:>8} {:>8} {:>10} {:>7} {:>6}",
        "shape",
        "server",
        "packets/s",
        "/CPU second",
        "ratio",
        "core %",
        "loss %",
        "p50 ms",
        "p99 ms",
        "frame p99",
        "MiB",
        "load %"
    )];
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let value = |name: &str| number(row, &format!("/{name}"));
        let flag = |name: &str| row.get(name).and_then(Value::as_bool) == Some(true);
        let limits = row.get("load_limits").and_then(Value::as_array).map_or(0, Vec::len);
        lines.push(format!(
            "{:<16} {:<9} {:>9.0} {:>12.0} {:>7} {:>6.0}{} {:>8.3} {:>8.1} {:>8.1} {:>10.0} {:>7.0} {:>5.0}{}",
            text("shape"),
            text("server"),
            value("packets_out_per_second"),
            value("packets_out_per_cpu_second"),
            format!("{:.2}x", value("ratio")),
            value("core_share") * 100.0,
            if flag("saturated") { "!" } else { " " },
            value("loss") * 100.0,
            value("latency_p50_ms"),
            value("latency_p99_ms"),
            value("first_frame_p99_ms"),
            value("resident_kib") / 1_024.0,
            value("load_core_share") * 100.0,
            if limits > 0 { "!" } else { " " },
        ));
    }
    lines.push(
        "ratio: packets for each CPU second of the first server to those of this one; !: its core was full, or the \
         load was the limit"
            .to_owned(),
    );
    lines.join("\n")
}

/// The report in the middle, by packets for each CPU second.
fn median<'a>(runs: &'a [Value], shape: &str, server: &str) -> Option<&'a Value> {
    let is = |run: &&Value| {
        run.get("shape").and_then(Value::as_str) == Some(shape)
            && run.get("server").and_then(Value::as_str) == Some(server)
    };
    let mut reports: Vec<&Value> =
        runs.iter().filter(is).filter_map(|run| run.get("report")).collect();
    reports.sort_by(|one, other| rate(one).total_cmp(&rate(other)));
    reports.get(reports.len() / 2).copied()
}

fn rate(report: &Value) -> f64 {
    number(report, "/server/packets_out_per_cpu_second")
}

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(server: &str, rate: f64) -> Value {
        json!({"shape": "live", "server": server, "report": {
            "server": {"packets_out_per_cpu_second": rate, "cpu_share": rate / 100.0},
            "load_limits": [],
        }})
    }

    #[test]
    fn rows_take_the_middle_round_and_compare_with_the_first_server() {
        let runs = [run("a", 30.0), run("b", 10.0), run("a", 90.0), run("a", 40.0), run("b", 10.0)];
        let rows = rows(&runs, &["live"], &["a", "b"]);
        let [a, b] = rows.as_slice() else { panic!("{rows:?}") };
        assert!((number(a, "/packets_out_per_cpu_second") - 40.0).abs() < 1e-9);
        assert!((number(b, "/ratio") - 4.0).abs() < 1e-9, "{b}");
        let table = table(&rows);
        assert!(table.contains("4.00x"), "{table}");
    }

    #[test]
    fn a_full_core_shows() {
        let runs = [run("a", 99.0)];
        assert!(table(&rows(&runs, &["live"], &["a"])).contains("99!"));
    }
}
