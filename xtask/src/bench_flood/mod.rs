//! `cargo xtask bench flood`: what people in a small meeting notice while somebody floods the server.
//!
//! The server has one core for itself, the meeting and the flood share another (or have one each where there are
//! more). Every flood meets a server that was just started, so that its counters and its memory are its own.
//!
//! What it is not: a check; a slow machine fails nothing.

mod stage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::console::say;
use crate::{launch, paths, setup};
use stage::{Running, Server, Tools};

/// How long the meeting is measured beside each flood, seconds, unless said otherwise.
const SECONDS: u64 = 20;
/// Longest, so that the flood is over before the server closes those who never connect.
const SECONDS_MAX: u64 = 25;
/// The flood is ended with the measurement; this is for the case that nobody ends it.
const FLOOD_SECONDS: &str = "90";
/// The room of the meeting.
const ROOM: &str = "meeting";

/// One row: what happens beside the meeting.
struct Phase {
    name: &'static str,
    /// Arguments of `fermata flood`; none for quiet.
    flood: &'static [&'static str],
    /// From the start of the flood to that of the meeting.
    ahead: Duration,
}

const AT_ONCE: Duration = Duration::from_millis(1_500);
/// Enough for all handshakes to be open, if the server keeps up.
const OPEN: Duration = Duration::from_secs(30);
const HANDSHAKES: &[&str] = &["--kind", "handshakes"];

const PHASES: [Phase; 7] = [
    Phase { name: "none", flood: &[], ahead: AT_ONCE },
    Phase {
        name: "100k garbage/s, elsewhere",
        flood: &["--kind", "garbage", "--elsewhere"],
        ahead: AT_ONCE,
    },
    Phase { name: "100k garbage/s", flood: &["--kind", "garbage"], ahead: AT_ONCE },
    Phase { name: "10k handshakes, opening", flood: HANDSHAKES, ahead: AT_ONCE },
    Phase { name: "10k handshakes, open", flood: HANDSHAKES, ahead: OPEN },
    Phase {
        name: "10x rate, other room",
        flood: &["--kind", "overrate", "--room", "other"],
        ahead: AT_ONCE,
    },
    Phase {
        name: "10x rate, same room",
        flood: &["--kind", "overrate", "--room", ROOM],
        ahead: AT_ONCE,
    },
];

/// What to run.
struct Plan {
    tools: Tools,
    seconds: u64,
    clients: String,
    shape: String,
}

/// Runs all phases and leaves the figures in `target/bench/flood.json`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let plan = plan(args)?;
    let folder = paths::target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let mut rows: Vec<Value> = Vec::new();
    for phase in &PHASES {
        say(&format!(":: meeting of {} ({}), flood: {}", plan.clients, plan.shape, phase.name));
        let row = measure(&plan, phase, &folder, rows.first())?;
        rows.push(row);
    }
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let commit = launch::output(launch::command("git").args(["rev-parse", "HEAD"]));
    let figures = json!({
        "commit": commit.ok().map(|text| text.trim().to_owned()),
        "cores": cores,
        "shape": plan.shape,
        "clients": plan.clients,
        "phases": rows,
    });
    let path = folder.join("flood.json");
    std::fs::write(&path, format!("{figures:#}\n"))?;
    say(&table(&rows));
    say(&format!("all figures: {}", path.display()));
    Ok(())
}

fn plan(args: &[String]) -> Result<Plan> {
    let (mut server, mut tool) = (None, None);
    let (mut seconds, mut clients, mut shape) = (SECONDS, "6".to_owned(), "meeting".to_owned());
    let mut words = args.iter();
    while let Some(name) = words.next() {
        let value = words.next().with_context(|| format!("`{name}` takes a value"))?;
        match name.as_str() {
            "--server" => server = Some(PathBuf::from(value)),
            "--tool" => tool = Some(PathBuf::from(value)),
            "--clients" => clients.clone_from(value),
            "--shape" => shape.clone_from(value),
            "--seconds" => {
                seconds = value.parse().context("--seconds")?;
                if !(1..=SECONDS_MAX).contains(&seconds) {
                    bail!("--seconds is {seconds}; allowed is 1 to {SECONDS_MAX}");
                }
            }
            other => bail!(
                "`bench flood` takes --seconds N, --shape SHAPE, --clients N, --server PROGRAM and --tool PROGRAM, \
                 not `{other}`"
            ),
        }
    }
    if server.is_none() || tool.is_none() {
        setup::compiler()?;
        let build = ["build", "--locked", "--release", "-p", "fermata-server"];
        launch::run(&mut launch::cargo(&build))?;
    }
    let tools = Tools::find(
        server.unwrap_or_else(paths::release_binary),
        tool.unwrap_or_else(paths::release_binary),
    )?;
    Ok(Plan { tools, seconds, clients, shape })
}

/// One phase on a server of its own. `quiet` is the row without a flood.
fn measure(plan: &Plan, phase: &Phase, folder: &Path, quiet: Option<&Value>) -> Result<Value> {
    let server = Server::start(&plan.tools)?;
    let before = server.memory_kib()?;
    let watch = server.watch();
    let counters_before = server.counters()?;

    let flood_file = folder.join("flood-part.json");
    let load_file = folder.join("flood-load.json");
    let flood = start_flood(plan, phase, &server, &flood_file)?;
    let load = start_load(plan, &server, &load_file)?;
    // With all of them in and the flood on its way, about in the middle.
    let cpu_from = server.cpu();
    let begun = launch::now();
    load.finish("the meeting")?;
    let cpu = (server.cpu() - cpu_from) / begun.elapsed().as_secs_f64();
    let flood = match flood {
        Some(flood) => {
            flood.end("the flood")?;
            read(&flood_file)?
        }
        None => Value::Null,
    };
    let counters = server.counters()?;
    stage::pause(stage::REST);
    let after = server.memory_kib()?;
    let top = watch.top();
    let rose: BTreeMap<String, u64> = counters
        .into_iter()
        .map(|(name, value)| {
            let from = counters_before.get(&name).copied().unwrap_or(0);
            (name, value.saturating_sub(from))
        })
        .filter(|(_, rise)| *rise > 0)
        .collect();
    let telling = telling(&rose, quiet);
    let row = json!({
        "flood": phase.name,
        "load": read(&load_file)?,
        "attack": flood,
        "server_core_share": cpu,
        "memory_kib": {"before": before, "top": top, "after": after},
        "kernel_drops": server.kernel_drops(),
        "counters": rose,
        "telling": telling,
    });
    server.end()?;
    Ok(row)
}

fn start_flood(
    plan: &Plan,
    phase: &Phase,
    server: &Server,
    file: &Path,
) -> Result<Option<Running>> {
    if phase.flood.is_empty() {
        return Ok(None);
    }
    let mut command = plan.tools.attacker();
    command.arg("flood").args(["--url", &server.url, "--seconds", FLOOD_SECONDS]);
    command.args(phase.flood).arg("--json").arg(file);
    let flood = Running::start(&mut command)?;
    stage::pause(phase.ahead);
    Ok(Some(flood))
}

fn start_load(plan: &Plan, server: &Server, file: &Path) -> Result<Running> {
    let mut command = plan.tools.meeting();
    command.args(["load", "--url", &server.url, "--room", ROOM]);
    command.args(["--shape", &plan.shape, "--clients", &plan.clients]);
    command.args(["--seconds", &plan.seconds.to_string()]);
    command.arg("--json").arg(file);
    Running::start(&mut command)
}

fn read(path: &Path) -> Result<Value> {
    let text = std::fs::read(path).with_context(|| format!("nothing in {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("no JSON in {}", path.display()))
}

/// Counters that rose more than they do without a flood.
fn telling(rose: &BTreeMap<String, u64>, quiet: Option<&Value>) -> BTreeMap<String, u64> {
    let usual = |name: &str| {
        let counters = quiet.and_then(|row| row.get("counters"));
        counters.and_then(|all| all.get(name)).and_then(Value::as_u64).unwrap_or(0)
    };
    let told = |(name, rise): &(&String, &u64)| **rise > usual(name) * 3 / 2 + 20;
    match quiet {
        Some(_) => rose.iter().filter(told).map(|(name, rise)| (name.clone(), *rise)).collect(),
        None => BTreeMap::new(),
    }
}

fn table(rows: &[Value]) -> String {
    let mut lines = vec![format!(
        "{:<26} {:>8} {:>8} {:>8} {:>8} {:>9} {:>7}  {:<22} {:>7}",
        "flood",
        "p50 ms",
        "p99 ms",
        "max ms",
        "loss %",
        "join p99",
        "core %",
        "MiB before/top/after",
        "drops"
    )];
    for row in rows {
        lines.push(line(row));
    }
    for row in rows {
        lines.push(String::new());
        lines.push(format!("{}: {}", word(row, "/flood"), attack(row)));
        let telling = row.get("telling").and_then(Value::as_object);
        for (name, rise) in telling.into_iter().flatten() {
            lines.push(format!("    {name} +{rise}"));
        }
    }
    lines.join("\n")
}

fn line(row: &Value) -> String {
    let mib = |name: &str| number(row, &format!("/memory_kib/{name}")) / 1_024.0;
    let memory = format!("{:.0} / {:.0} / {:.0}", mib("before"), mib("top"), mib("after"));
    format!(
        "{:<26} {:>8.2} {:>8.2} {:>8.1} {:>8.4} {:>9.1} {:>7.1}  {memory:<22} {:>7}",
        word(row, "/flood"),
        number(row, "/load/latency/p50_ms"),
        number(row, "/load/latency/p99_ms"),
        number(row, "/load/latency/max_ms"),
        number(row, "/load/loss") * 100.0,
        number(row, "/load/join/p99_ms"),
        number(row, "/server_core_share") * 100.0,
        number(row, "/kernel_drops"),
    )
}

/// What the flood itself did.
fn attack(row: &Value) -> String {
    let at = |pointer: &str| number(row, pointer);
    let share = at("/attack/own_cpu_seconds") / at("/attack/seconds").max(1e-3) * 100.0;
    let what = match word(row, "/attack/kind") {
        "garbage" => format!(
            "{:.0} datagrams/s, {} answers",
            at("/attack/garbage/per_second"),
            at("/attack/garbage/answers")
        ),
        "handshakes" => format!(
            "{} half open of {} in {:.0} s, {} joins failed, {} of {} hellos without a path answered",
            at("/attack/handshakes/half_open"),
            at("/attack/handshakes/asked"),
            at("/attack/handshakes/opening_seconds"),
            at("/attack/handshakes/joins_failed"),
            at("/attack/handshakes/hellos_without_path_answered"),
            at("/attack/handshakes/hellos_without_path"),
        ),
        "overrate" => format!(
            "{} publishers, {:.0} datagrams/s, {} cut off",
            at("/attack/overrate/publishers"),
            at("/attack/overrate/per_second"),
            at("/attack/overrate/cut_off")
        ),
        _ => return "the meeting alone".to_owned(),
    };
    format!("{what}; {share:.0} % of a core to do it. Counters that tell:")
}

fn number(row: &Value, pointer: &str) -> f64 {
    row.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

fn word<'a>(row: &'a Value, pointer: &str) -> &'a str {
    row.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A child is over; bad ends name what it was.
fn judge(child: &mut Child, what: &str) -> Result<()> {
    let status = child.wait()?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_tells_if_it_rises_more_than_without_a_flood() {
        let rose = |pairs: &[(&str, u64)]| -> BTreeMap<String, u64> {
            pairs.iter().map(|(name, rise)| ((*name).to_owned(), *rise)).collect()
        };
        let quiet = json!({"counters": {"in_total": 1_000, "resumes_total": 0}});
        let told =
            telling(&rose(&[("in_total", 1_100), ("unknown_total", 50), ("few", 3)]), Some(&quiet));
        assert_eq!(told, rose(&[("unknown_total", 50)]));
        assert!(telling(&rose(&[("unknown_total", 50)]), None).is_empty());
    }

    #[test]
    fn every_row_is_shown_also_with_figures_missing() {
        let rows = [json!({"flood": "none", "load": {"latency": {"p50_ms": 0.5}}, "attack": null})];
        let table = table(&rows);
        assert!(
            table.contains("none") && table.contains("0.50") && table.contains("NaN"),
            "{table}"
        );
        assert!(table.contains("the meeting alone"), "{table}");
    }

    #[test]
    fn arguments_outside_are_named() {
        for (args, words) in [
            (vec!["--seconds", "100"], "allowed is 1 to 25"),
            (vec!["--seconds"], "takes a value"),
            (vec!["--loud", "1"], "not `--loud`"),
        ] {
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            let error = plan(&args).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
