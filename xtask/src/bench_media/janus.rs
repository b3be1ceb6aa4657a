//! Debian's Janus as a yardstick: installed if missing, with a configuration of its own on this machine only.
//!
//! It leaves loopback addresses out of its candidates and answers through the interface of the address it uses, so
//! media goes over an interface that is made for it, connected to nothing, and removed at the end.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::stage::{self, Server};
use crate::console::say;
use crate::{launch, paths};

/// Where Debian puts its plugins, below the folder of the machine's libraries.
const LIBRARIES: &str = "/usr/lib";
/// The interface made for it, its other end, and its address: one of those kept for benchmarks (RFC 2544).
const INTERFACE: [&str; 2] = ["fermata-b0", "fermata-b1"];
const ADDRESS: &str = "198.18.47.11";
/// Everything but the `VideoRoom` and the WebSocket stays out.
const PLUGIN: &str = "libjanus_videoroom.so";
const TRANSPORT: &str = "libjanus_websockets.so";
/// How long it may take until it listens.
const READY_MAX: Duration = Duration::from_secs(20);

/// Janus, ready to be started.
#[derive(Debug, Clone)]
pub(super) struct Janus {
    program: PathBuf,
    libraries: PathBuf,
    folder: PathBuf,
    address: String,
    /// Interface or address, as its configuration wants it.
    enforced: String,
    /// Removed with the last clone.
    _interface: Option<Arc<Interface>>,
}

/// The interface made for it.
#[derive(Debug)]
struct Interface;

impl Drop for Interface {
    fn drop(&mut self) {
        let [name, _] = INTERFACE;
        // It takes its other end with it. If it is gone, somebody was tidy.
        let _ = Command::new("ip").args(["link", "delete", name]).status();
    }
}

impl Janus {
    /// Installs what is missing and finds an address for its media.
    pub(super) fn ready(address: Option<String>) -> Result<Self> {
        let program = program()?;
        let libraries = libraries()?;
        let folder = paths::target().join("bench/janus");
        std::fs::create_dir_all(&folder)?;
        let (address, enforced, interface) = if let Some(address) = address {
            (address.clone(), address, None)
        } else {
            let interface = interface()?;
            let [name, _] = INTERFACE;
            (ADDRESS.to_owned(), name.to_owned(), Some(Arc::new(interface)))
        };
        Ok(Self { program, libraries, folder, address, enforced, _interface: interface })
    }

    /// Starts it with a new configuration on a free port.
    pub(super) fn start(&self) -> Result<Server> {
        let port = free_port()?;
        self.configure(port)?;
        let folder = self.folder.display().to_string();
        let args = ["-C".to_owned(), format!("{folder}/janus.jcfg"), "-F".to_owned(), folder];
        let load = vec!["janus".to_owned(), format!("bind={}", self.address)];
        let url = format!("ws://127.0.0.1:{port}");
        let log = self.folder.join("output.log");
        let mut server = Server::other(&self.program, &args, &log, url, load)?;
        let deadline = launch::now() + READY_MAX;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if !server.is_alive() || launch::now() >= deadline {
                bail!("Janus does not listen; see {}", self.folder.join("janus.log").display());
            }
            stage::pause();
        }
        Ok(server)
    }

    /// NACK and bandwidth as they are by default; no public STUN.
    fn configure(&self, port: u16) -> Result<()> {
        let folder = self.folder.display();
        let libraries = self.libraries.display();
        let disabled = |kind: &str, kept: &str| -> Result<String> {
            Ok(others(&self.libraries.join(kind), kept)?.join(","))
        };
        let plugins = disabled("plugins", PLUGIN)?;
        let transports = disabled("transports", TRANSPORT)?;
        let mut text = String::new();
        write!(
            text,
            "general: {{\n  configs_folder = \"{folder}\"\n  plugins_folder = \"{libraries}/plugins\"\n  \
             transports_folder = \"{libraries}/transports\"\n  events_folder = \"{libraries}/events\"\n  \
             loggers_folder = \"{libraries}/loggers\"\n  log_to_stdout = false\n  \
             log_to_file = \"{folder}/janus.log\"\n  debug_level = 3\n  server_name = \"bench\"\n}}\n\
             media: {{\n  ipv6 = false\n}}\n\
             nat: {{\n  nice_debug = false\n  full_trickle = false\n  ice_enforce_list = \"{}\"\n}}\n\
             plugins: {{\n  disable = \"{plugins}\"\n}}\n\
             transports: {{\n  disable = \"{transports}\"\n}}\n\
             events: {{\n  broadcast = false\n}}\n",
            self.enforced
        )?;
        std::fs::write(self.folder.join("janus.jcfg"), text)?;
        let transport = format!(
            "general: {{\n  json = \"compact\"\n  ws = true\n  ws_port = {port}\n  ws_ip = \"127.0.0.1\"\n  \
             wss = false\n}}\nadmin: {{\n  admin_ws = false\n  admin_wss = false\n}}\n"
        );
        std::fs::write(self.folder.join("janus.transport.websockets.jcfg"), transport)?;
        let rooms = "general: {\n  events = false\n}\n";
        std::fs::write(self.folder.join("janus.plugin.videoroom.jcfg"), rooms)?;
        Ok(())
    }
}

/// Finds the program, or installs Debian's.
fn program() -> Result<PathBuf> {
    if let Some(program) = paths::which(&["janus"]) {
        return Ok(program);
    }
    let how = "apt-get install --no-install-recommends janus";
    let root = launch::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || paths::which(&["apt-get"]).is_none() {
        bail!("Janus is not installed; on Debian: `{how}`. Or leave it out with --no-janus");
    }
    say(&format!(":: {how}"));
    let mut install = launch::command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "-y", "--no-install-recommends", "janus"]);
    launch::run(&mut install)?;
    if paths::which(&["systemctl"]).is_some() {
        // The package starts a server for everybody, which nobody asked for. Without systemd it does not.
        let _ = launch::command("systemctl").args(["disable", "--now", "janus"]).status();
    }
    paths::which(&["janus"]).context("the package janus has no program janus")
}

/// The folder of its plugins, below that of the machine's kind.
fn libraries() -> Result<PathBuf> {
    let below = std::fs::read_dir(LIBRARIES).context("there is no folder of libraries")?;
    let own = below.flatten().map(|entry| entry.path().join("janus"));
    let mut found = own.filter(|path| path.join("plugins").is_dir());
    found.next().with_context(|| format!("no plugins of Janus below {LIBRARIES}"))
}

/// Files of a folder but one.
fn others(folder: &Path, kept: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let library = |name: &String| Path::new(name).extension().is_some_and(|ext| ext == "so");
    let mut names: Vec<String> = names.filter(|name| library(name) && name != kept).collect();
    names.sort();
    Ok(names)
}

/// Makes the interface for its media.
fn interface() -> Result<Interface> {
    let [name, other] = INTERFACE;
    let ip = |args: &[&str]| launch::output(launch::command("ip").args(args));
    let address = format!("{ADDRESS}/32");
    let made = ip(&["link", "add", name, "type", "dummy"])
        .or_else(|_| ip(&["link", "add", name, "type", "veth", "peer", "name", other]));
    made.context(
        "Janus takes no loopback address and an interface for it could not be made, which wants root and `ip`; \
         name an address of this machine with --janus-address, or leave Janus out with --no-janus",
    )?;
    let interface = Interface;
    ip(&["addr", "add", &address, "dev", name])?;
    ip(&["link", "set", name, "up"])?;
    // A dummy has no other end.
    let _ = ip(&["link", "set", other, "up"]);
    Ok(interface)
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
