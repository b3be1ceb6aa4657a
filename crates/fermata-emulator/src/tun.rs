//! A pair of interfaces, one here and one in a namespace.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tun_rs::{DeviceBuilder, Layer, SyncDevice};

/// Largest packet of the paths.
pub(crate) const MTU: u16 = 1_500;

/// One end.
pub(crate) struct Tun {
    device: SyncDevice,
}

impl Tun {
    /// An interface of this name, here.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let device =
            DeviceBuilder::new().name(name).layer(Layer::L3).mtu(MTU).build_sync().with_context(
                || format!("no interface {name} (root is needed, and /dev/net/tun)"),
            )?;
        device.set_nonblocking(true)?;
        Ok(Self { device })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }

    /// The next packet that the system sends out of it; `None`: nothing more for now.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        match self.device.recv(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            // Its namespace is gone.
            Err(error) if error.raw_os_error() == Some(77) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Hands a packet to the system there. What it does not take is lost, as on any network.
    pub(crate) fn send(&self, packet: &[u8]) {
        let _ = self.device.send(packet);
    }
}

/// Makes the ends of a path and gives them their addresses and routes: `here` towards the client, `there` for
/// everything, in its namespace.
pub(crate) fn pair(
    number: usize,
    server: Ipv4Addr,
    client: Ipv4Addr,
    netns: &str,
) -> Result<(Tun, Tun)> {
    let (near_name, far_name) = (format!("fme{number}s"), format!("fme{number}c"));
    let (near, far) = (Tun::new(&near_name)?, Tun::new(&far_name)?);
    ip(&format!("link set {near_name} up"))?;
    ip(&format!("route add {client}/32 dev {near_name} src {server}"))?;
    ip(&format!("link set {far_name} netns {netns}"))?;
    ip(&format!("-n {netns} link set lo up"))?;
    ip(&format!("-n {netns} addr add {client}/32 dev {far_name}"))?;
    ip(&format!("-n {netns} link set {far_name} up"))?;
    // A second interface of a namespace is there for when the first one goes.
    let metric = 100 + number;
    ip(&format!("-n {netns} route add default dev {far_name} src {client} metric {metric}"))?;
    Ok((near, far))
}

/// The server's address, here.
pub(crate) fn claim(server: Ipv4Addr) -> Result<()> {
    ip("link set lo up")?;
    ip(&format!("addr replace {server}/32 dev lo"))
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split_whitespace()).output();
    let output = output.context("`ip` cannot be run (package iproute2)")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`ip {arguments}`: {}", error.trim());
    Ok(())
}
