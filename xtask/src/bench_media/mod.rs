//! `cargo xtask bench media`: forwarded packets for each second of a server's CPU, against other servers.
//!
//! Every server gets one core and every load another, the same load for all of them, in turns, in one run: what is
//! compared was measured on the same machine in the same minutes.
//!
//! What it is not: a check; a slow machine fails nothing.

mod janus;
mod stage;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::console::say;
use crate::{launch, paths, setup};
use stage::Server;

/// How long each load is measured, seconds, unless said otherwise.
const SECONDS: u64 = 10;
/// Longest measured time, seconds.
const SECONDS_MAX: u64 = 600;
/// Most rounds of everything.
const ROUNDS_MAX: u32 = 20;

/// A shape and its load, below what one core of the slowest server takes.
#[derive(Debug)]
struct Shape {
    name: &'static str,
    /// Arguments of the load.
    args: &'static [&'static str],
}

const SHAPES: [Shape; 5] = [
    Shape {
        name: "audio 10 -> 90",
        args: &["shape=audio", "clients=100", "publishers=10", "audio-ms=60"],
    },
    Shape {
        name: "meeting 10 x 10",
        args: &["shape=meeting", "clients=10", "simulcast", "layout=3x3"],
    },
    Shape {
        name: "meeting 30 x 30",
        args: &[
            "shape=meeting",
            "clients=30",
            "simulcast",
            "layout=5x5",
            "audio-ms=60",
            "fps=15",
            "bitrate=900000",
        ],
    },
    Shape { name: "live 1 -> 100", args: &["shape=live", "clients=101", "audio-ms=60"] },
    Shape {
        name: "live 1 -> 500",
        args: &["shape=live", "clients=501", "audio-ms=60", "fps=10", "bitrate=250000"],
    },
];

/// Who is measured.
#[derive(Debug, Clone)]
enum Subject {
    /// A binary of ours and its name in the table.
    Fermata(&'static str, PathBuf),
    /// Debian's.
    Janus(janus::Janus),
}

impl Subject {
    fn name(&self) -> &'static str {
        match self {
            Self::Fermata(name, _) => name,
            Self::Janus(_) => "janus",
        }
    }
}

/// What to run.
#[derive(Debug)]
struct Plan {
    subjects: Vec<Subject>,
    tool: PathBuf,
    shapes: Vec<&'static Shape>,
    seconds: u64,
    rounds: u32,
}

/// Measures everything and leaves the figures in `target/bench/media.json`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let folder = paths::target().join("bench/media");
    std::fs::create_dir_all(&folder)?;
    let plan = plan(args)?;
    let (cores, tool_core) = stage::cores()?;
    let mut runs = Vec::new();
    for round in 0..plan.rounds {
        for shape in &plan.shapes {
            for at in 0..plan.subjects.len() {
                // Who comes first changes, so that a machine that warms up favours nobody.
                let turn = (at + round as usize) % plan.subjects.len();
                let Some(subject) = plan.subjects.get(turn) else { continue };
                say(&format!(":: {}: {} (round {})", shape.name, subject.name(), round + 1));
                let report = measure(&plan, shape, subject, tool_core, &folder)?;
                say(&table::line(&report));
                runs.push(json!({
                    "shape": shape.name, "server": subject.name(), "round": round, "report": report,
                }));
            }
        }
    }
    let names: Vec<&str> = plan.subjects.iter().map(Subject::name).collect();
    let shapes: Vec<&str> = plan.shapes.iter().map(|shape| shape.name).collect();
    let rows = table::rows(&runs, &shapes, &names);
    let commit = launch::output(launch::command("git").args(["rev-parse", "HEAD"]));
    let figures = json!({
        "commit": commit.ok().map(|text| text.trim().to_owned()),
        "cores": cores,
        "seconds": plan.seconds,
        "rounds": plan.rounds,
        "loads": plan.shapes.iter().map(|s| json!({"shape": s.name, "load": s.args})).collect::<Vec<_>>(),
        "rows": rows,
        "runs": runs,
    });
    let path = paths::target().join("bench/media.json");
    std::fs::write(&path, format!("{figures:#}\n"))?;
    say("");
    say(&table::table(&rows));
    say(&format!("\nall figures: {}", path.display()));
    Ok(())
}

fn plan(args: &[String]) -> Result<Plan> {
    let (mut server, mut baseline, mut tool) = (None, None, None);
    let (mut seconds, mut rounds, mut wanted) = (SECONDS, 1, Vec::new());
    let (mut with_janus, mut address) = (true, None);
    let mut words = args.iter();
    while let Some(name) = words.next() {
        if name == "--no-janus" {
            with_janus = false;
            continue;
        }
        let value = words.next().with_context(|| format!("`{name}` takes a value"))?;
        match name.as_str() {
            "--server" => server = Some(PathBuf::from(value)),
            "--baseline" => baseline = Some(PathBuf::from(value)),
            "--tool" => tool = Some(PathBuf::from(value)),
            "--janus-address" => address = Some(value.clone()),
            "--shape" => wanted.push(value.clone()),
            "--seconds" => seconds = value.parse().context("--seconds")?,
            "--rounds" => rounds = value.parse().context("--rounds")?,
            other => bail!(
                "`bench media` takes --seconds N, --rounds N, --shape TEXT, --baseline PROGRAM, --server PROGRAM, \
                 --tool PROGRAM, --no-janus and --janus-address IP, not `{other}`"
            ),
        }
    }
    if !(1..=SECONDS_MAX).contains(&seconds) || !(1..=ROUNDS_MAX).contains(&rounds) {
        bail!("--seconds is 1 to {SECONDS_MAX}, --rounds is 1 to {ROUNDS_MAX}");
    }
    let shapes: Vec<&Shape> = SHAPES
        .iter()
        .filter(|shape| wanted.is_empty() || wanted.iter().any(|text| shape.name.contains(text)))
        .collect();
    if shapes.is_empty() {
        let names: Vec<&str> = SHAPES.iter().map(|shape| shape.name).collect();
        bail!("no shape's name has that in it; there are {}", names.join(", "));
    }
    let (server, tool) = build(server, tool)?;
    let mut subjects = vec![Subject::Fermata("fermata", server)];
    if let Some(baseline) = baseline {
        subjects.push(Subject::Fermata("baseline", baseline));
    }
    if with_janus {
        subjects.push(Subject::Janus(janus::Janus::ready(address)?));
    }
    Ok(Plan { subjects, tool, shapes, seconds, rounds })
}

/// The programs that were not named are built.
fn build(server: Option<PathBuf>, tool: Option<PathBuf>) -> Result<(PathBuf, PathBuf)> {
    if server.is_none() || tool.is_none() {
        setup::compiler()?;
    }
    let server = if let Some(server) = server {
        server
    } else {
        launch::run(&mut crate::build::release_binary())?;
        paths::release_binary()
    };
    let tool = if let Some(tool) = tool {
        tool
    } else {
        let build = ["build", "--locked", "--release", "-p", "fermata-load", "--example", "load"];
        launch::run(&mut launch::cargo(&build))?;
        paths::target().join("release/examples/load")
    };
    Ok((server, tool))
}

/// One load on one server that was just started.
fn measure(
    plan: &Plan,
    shape: &Shape,
    subject: &Subject,
    tool_core: usize,
    folder: &Path,
) -> Result<Value> {
    let server = match subject {
        Subject::Fermata(name, program) => Server::fermata(name, program, folder)?,
        Subject::Janus(janus) => janus.start()?,
    };
    let file = folder.join("load.json");
    // A result of an earlier run must not be taken for this one's.
    let _ = std::fs::remove_file(&file);
    let mut command = stage::pinned(tool_core, &plan.tool);
    command.arg(&server.url).args(shape.args).args(&server.load_args);
    command.arg(format!("seconds={}", plan.seconds));
    command.arg(format!("server-pid={}", server.id()));
    command.arg(format!("json={}", file.display()));
    let log = folder.join(format!("load-{}.log", subject.name()));
    let end = launch::run_logged(&mut command, &log, stage::load_limit(plan.seconds))?;
    server.end()?;
    if end != launch::End::Ok {
        bail!("the load did not come about; see {}", log.display());
    }
    let text = std::fs::read(&file).with_context(|| format!("nothing in {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("no JSON in {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_are_named() {
        for (args, words) in [
            (vec!["--seconds", "0"], "--seconds is 1"),
            (vec!["--rounds"], "takes a value"),
            (vec!["--shape", "concert"], "live 1 -> 500"),
            (vec!["--loud", "1"], "not `--loud`"),
        ] {
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            let error = plan(&args).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
