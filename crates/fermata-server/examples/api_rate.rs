//! How the vendor's server API and the media stand each other, on this machine.
//!
//! `cargo run --release -p fermata-server --example api_rate -- [--json] [--seconds N] [FOLDER]`
//! The real program (`fermata serve`, of the same build) as a child with a database on the disk; fifty rooms of two
//! clients that send audio to each other, by a child `fermata load`; and, from here, 200 signed calls a second of
//! 20 accounts, each account over a connection of its own. The load runs twice, without the calls and with them.
//!
//! A call's time is counted from when it was due, so that a stall shows in every call behind it.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::Request;
use fermata_auth::tc3;
use fermata_server::config::FREE_PORTS;
use fermata_types::Now;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// Accounts that call; the first is the one whose rooms are live.
const ACCOUNTS: usize = 20;
/// Calls of each account, a second.
const CALLS_PER_SECOND: u32 = 10;
/// Rooms, and people in each.
const ROOMS: u32 = 50;
const CLIENTS: u32 = 2;
/// Measured time of each half, seconds, unless it is told otherwise.
const SECONDS: u64 = 20;
/// The actions called in turn: (service, version, action, parameters beside the application).
const ACTIONS: [(&str, &str, &str, &str); 5] = [
    ("trtc", "2019-07-22", "DescribeRoomInfo", "window"),
    ("trtc", "2019-07-22", "DescribeTrtcUsage", "day"),
    ("trtc", "2019-07-22", "RemoveUserByStrRoomId", "user"),
    ("trtc", "2019-07-22", "DismissRoom", "room"),
    ("billing", "2018-07-09", "DescribeAccountBalance", ""),
];

/// A child that does not outlive us.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Who calls.
#[derive(Clone)]
struct Caller {
    app: u64,
    secret_id: String,
    secret_key: String,
}

/// One connection.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Line {
    async fn open(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: host.to_owned() })
    }

    async fn send(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> anyhow::Result<Value> {
        let mut request = Request::post(path).header("host", &self.host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let answer = self.sender.send_request(request.body(Full::from(body))?).await?;
        let bytes = answer.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// The operator API.
    async fn operator(&mut self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let headers =
            [("authorization", "Bearer dev-operator"), ("content-type", "application/json")];
        let answer = self.send(&format!("/api/v1{path}"), &headers, body.to_string()).await?;
        if answer.get("error").is_some() {
            bail!("{path}: {answer}");
        }
        Ok(answer)
    }

    /// A signed call; answers its code, or `OK`.
    async fn call(&mut self, caller: &Caller, number: usize) -> anyhow::Result<String> {
        let Some((service, version, action, kind)) = ACTIONS.get(number % ACTIONS.len()).copied()
        else {
            bail!("no action")
        };
        let now = Now::read().wall;
        let seconds = now.as_second();
        let body = match kind {
            "window" => {
                json!({"SdkAppId": caller.app, "StartTime": seconds - 3_600, "EndTime": seconds})
            }
            "day" => {
                let day = now.strftime("%Y-%m-%d").to_string();
                json!({"SdkAppId": caller.app, "StartTime": day, "EndTime": day})
            }
            "user" => json!({"SdkAppId": caller.app, "RoomId": "load-0", "UserIds": ["nobody"]}),
            "room" => json!({"SdkAppId": caller.app, "RoomId": 77}),
            _ => json!({}),
        }
        .to_string();
        let headers = [("content-type", "application/json"), ("host", self.host.as_str())];
        let parts = tc3::RequestParts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let signed = ["content-type", "host"];
        let authorization =
            tc3::sign(&caller.secret_id, &caller.secret_key, service, seconds, &signed, &parts)?;
        let timestamp = seconds.to_string();
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
            ("x-tc-action", action),
            ("x-tc-version", version),
            ("x-tc-timestamp", timestamp.as_str()),
        ];
        let answer = self.send("/", &headers, body).await?;
        let code = answer.pointer("/Response/Error/Code").and_then(Value::as_str);
        Ok(format!("{action} {}", code.unwrap_or("OK")))
    }
}

/// Calls for so long; answers times in nanoseconds and what came.
async fn call_for(
    host: String,
    caller: Caller,
    seconds: u64,
    offset: Duration,
) -> anyhow::Result<Vec<(u64, String)>> {
    let mut line = Line::open(&host).await?;
    let pause = Duration::from_secs(1) / CALLS_PER_SECOND;
    let begun = Now::read().instant + offset;
    let mut times = Vec::new();
    let calls = usize::try_from(seconds)? * CALLS_PER_SECOND as usize;
    for number in 0..calls {
        let due = begun + pause * u32::try_from(number)?;
        tokio::time::sleep_until(due.into()).await;
        let came = line.call(&caller, number).await?;
        let took = Now::read().instant.saturating_duration_since(due);
        times.push((u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), came));
    }
    Ok(times)
}

fn binary() -> anyhow::Result<PathBuf> {
    // `target/release/examples/api_rate` lies beside `target/release/fermata`.
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("no folder above the examples")?;
    let binary = folder.join("fermata");
    if !binary.is_file() {
        bail!("{} is missing; build it with `cargo build --release`", binary.display());
    }
    Ok(binary)
}

fn serve(binary: &Path, folder: &Path) -> anyhow::Result<(Running, Value)> {
    let child = Command::new(binary)
        .args(["serve", "--dev"])
        .args(FREE_PORTS)
        .arg("--data-dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut running = Running(child);
    let out = running.0.stdout.take().context("the server has no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    Ok((running, serde_json::from_str(&line).context("the server did not start")?))
}

/// The load, until it has measured and left.
async fn load(binary: PathBuf, host: String, pid: u32, seconds: u64) -> anyhow::Result<Value> {
    let output = tokio::task::spawn_blocking(move || {
        let numbers =
            [ROOMS.to_string(), CLIENTS.to_string(), seconds.to_string(), pid.to_string()];
        let [rooms, clients, seconds, pid] = numbers;
        Command::new(binary)
            .args(["load", "--json", "--shape", "audio", "--url", &format!("ws://{host}")])
            .args(["--rooms", &rooms, "--clients", &clients, "--seconds", &seconds])
            .args(["--server-pid", &pid])
            .stderr(Stdio::inherit())
            .output()
    })
    .await??;
    if !output.status.success() {
        bail!("the load failed ({})", output.status);
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn callers(line: &mut Line) -> anyhow::Result<Vec<Caller>> {
    let dev = Caller {
        app: 1_400_000_001,
        secret_id: "AKIDdev".to_owned(),
        secret_key: "dev-secret-key".to_owned(),
    };
    let mut callers = vec![dev];
    let text = |value: &Value, field: &str| -> anyhow::Result<String> {
        Ok(value.get(field).and_then(Value::as_str).context("a field is missing")?.to_owned())
    };
    for number in 1..ACCOUNTS {
        let body =
            json!({"name": format!("Account {number}"), "currency": "USD", "time_zone": "UTC"});
        let account = text(&line.operator("/accounts", &body).await?, "id")?;
        let app =
            line.operator(&format!("/accounts/{account}/apps"), &json!({"name": "app"})).await?;
        let body = json!({"name": "rate", "policy": "full"});
        let secret = line.operator(&format!("/accounts/{account}/secrets"), &body).await?;
        callers.push(Caller {
            app: app.get("sdk_app_id").and_then(Value::as_u64).context("no number")?,
            secret_id: text(&secret, "secret_id")?,
            secret_key: text(&secret, "secret_key")?,
        });
    }
    Ok(callers)
}

async fn measure(folder: &Path, seconds: u64) -> anyhow::Result<Value> {
    let binary = binary()?;
    let (server, ready) = serve(&binary, folder)?;
    let url = ready.get("http").and_then(Value::as_str).context("no address")?;
    let host = url.trim_start_matches("http://").to_owned();
    let mut line = Line::open(&host).await?;
    let callers = callers(&mut line).await?;
    let pid = server.0.id();

    let quiet = load(binary.clone(), host.clone(), pid, seconds).await?;
    let beside = tokio::spawn(load(binary, host.clone(), pid, seconds));
    // Entering and settling take a while; calls go on from then until the load has measured.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let mut calling = Vec::new();
    for (number, caller) in callers.into_iter().enumerate() {
        let offset = Duration::from_millis(5) * u32::try_from(number)?;
        calling.push(tokio::spawn(call_for(host.clone(), caller, seconds, offset)));
    }
    let (mut times, mut came) = (Vec::new(), std::collections::BTreeMap::<String, u64>::new());
    for task in calling {
        for (took, what) in task.await?? {
            times.push(took);
            *came.entry(what).or_default() += 1;
        }
    }
    let busy = beside.await??;
    times.sort_unstable();
    let at =
        |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied();
    let media = |report: &Value| {
        json!({"delay_p50_ms": report["latency"]["p50_ms"], "delay_p99_ms": report["latency"]["p99_ms"],
            "loss": report["loss"], "packets_out_per_second": report["packets_out_per_second"],
            "server_cpu_seconds": report["server"]["cpu_seconds"]})
    };
    Ok(json!({
        "accounts": ACCOUNTS, "rooms": ROOMS, "clients": ROOMS * CLIENTS, "seconds": seconds,
        "calls": times.len(), "p50_ns": at(50), "p99_ns": at(99), "max_ns": times.last(),
        "answers": came, "media_quiet": media(&quiet), "media_busy": media(&busy),
    }))
}

fn options() -> anyhow::Result<(bool, u64, Option<OsString>)> {
    let (mut json, mut seconds, mut folder) = (false, SECONDS, None);
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--json") => json = true,
            Some("--seconds") => {
                let text = args.next().and_then(|text| text.into_string().ok());
                let text = text.context("--seconds takes a number from 5 to 300")?;
                seconds = text.parse().context("--seconds takes a number from 5 to 300")?;
            }
            _ => folder = Some(arg),
        }
    }
    Ok((json, seconds, folder))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (json, seconds, folder) = options()?;
    let folder = match folder {
        Some(parent) => tempfile::tempdir_in(parent)?,
        None => tempfile::tempdir()?,
    };
    let figures = measure(folder.path(), seconds).await?;
    let mut out = std::io::stdout();
    if json {
        writeln!(out, "{figures}")?;
    } else {
        writeln!(out, "{figures:#}")?;
    }
    Ok(())
}
