//! What the kernel says about the media sockets: how much they may hold, and what they did not take.
//!
//! A datagram that finds a full socket is gone before we could count it. The kernel counts, and tells it in
//! `/proc/self/net/udp` and `/proc/self/net/udp6`; reading them may wait and is not for media threads.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use socket2::{Domain, Protocol, Type};

use crate::limits::SOCKET_BUFFER_LEN;

/// Where the kernel lists sockets, IPv4 and IPv6; by way of the process, because a service may see no more of `/proc`.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// Columns of those tables, by position.
const LOCAL: usize = 1;
const INODE: usize = 9;
const DROPS: usize = 12;

/// UDP sockets of this process whose losses are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UdpDrops {
    /// What the kernel calls them.
    inodes: BTreeSet<u64>,
}

impl UdpDrops {
    /// Finds the sockets of this process that are bound to one of `ports`. Waits for the kernel.
    ///
    /// # Errors
    /// What the kernel answers where it has no such tables, as on other systems than Linux.
    pub fn of_ports(ports: &[u16]) -> io::Result<Self> {
        let own = own_sockets(Path::new("/proc/self/fd"))?;
        let inodes = rows()?
            .into_iter()
            .filter(|row| ports.contains(&row.port) && own.contains(&row.inode))
            .map(|row| row.inode);
        Ok(Self { inodes: inodes.collect() })
    }

    /// Datagrams that arrived since the sockets were bound and were dropped because their buffers were full.
    /// Waits for the kernel.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn read(&self) -> io::Result<u64> {
        let ours = rows()?.into_iter().filter(|row| self.inodes.contains(&row.inode));
        Ok(ours.map(|row| row.drops).sum())
    }

    /// How many sockets were found.
    pub fn sockets(&self) -> usize {
        self.inodes.len()
    }
}

/// One socket.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    port: u16,
    inode: u64,
    drops: u64,
}

impl Row {
    /// One line of a table; `None` for its head.
    fn parse(line: &str) -> Option<Self> {
        let column = |place: usize| line.split_ascii_whitespace().nth(place);
        let (_, port) = column(LOCAL)?.rsplit_once(':')?;
        Some(Self {
            port: u16::from_str_radix(port, 16).ok()?,
            inode: column(INODE)?.parse().ok()?,
            drops: column(DROPS)?.parse().ok()?,
        })
    }
}

/// All sockets of this network namespace. A table may be missing where there is no IPv6, but not both.
fn rows() -> io::Result<Vec<Row>> {
    let [four, six] = TABLES.map(fs::read_to_string);
    let text = match (four, six) {
        (Ok(four), Ok(six)) => four + &six,
        (Ok(text), Err(_)) | (Err(_), Ok(text)) => text,
        (Err(error), Err(_)) => return Err(error),
    };
    Ok(text.lines().filter_map(Row::parse).collect())
}

/// Inodes of the sockets that this process holds open.
fn own_sockets(folder: &Path) -> io::Result<BTreeSet<u64>> {
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    Ok(fs::read_dir(folder)?.filter_map(|entry| inode(entry.ok()?)).collect())
}

/// A buffer asked from the kernel and what it gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Bytes asked for ([`SOCKET_BUFFER_LEN`]).
    pub asked: usize,
    /// Bytes given.
    pub given: usize,
}

impl Granted {
    /// Is it so much less that bursts will be lost which were meant to fit: less than half?
    pub fn is_small(&self) -> bool {
        self.given < self.asked / 2
    }
}

/// How large a receive buffer the kernel gives to a socket that asks as the media sockets do; found out with one that
/// is bound nowhere.
///
/// # Errors
/// What the kernel answers.
pub fn receive_buffer() -> io::Result<Granted> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_LEN)?;
    let told = socket.recv_buffer_size()?;
    // Linux takes as much again for its own accounts, and says the sum (socket(7)).
    let given = if cfg!(target_os = "linux") { told / 2 } else { told };
    Ok(Granted { asked: SOCKET_BUFFER_LEN, given })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn lines_of_the_tables() {
        let head = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout \
                    inode ref pointer drops";
        let four = " 1234: 0100007F:1ECA 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 \
                    567890 2 0000000000000000 42";
        let six = "  77: 00000000000000000000000001000000:1ECA 00000000000000000000000000000000:0000 07 \
                   00000000:00000000 00:00000000 00000000     0        0 99 2 0000000000000000 0";
        assert_eq!(Row::parse(head), None);
        assert_eq!(Row::parse(four), Some(Row { port: 7_882, inode: 567_890, drops: 42 }));
        assert_eq!(Row::parse(six), Some(Row { port: 7_882, inode: 99, drops: 0 }));
        for broken in ["", "1: x", &four[..100], &four.replace("567890", "x")] {
            assert_eq!(Row::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_a_full_socket_does_not_take_is_counted() {
        let deaf = socket2::Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        deaf.set_recv_buffer_size(4_096).unwrap();
        let deaf = UdpSocket::from(deaf_bound(deaf));
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = deaf.local_addr().unwrap().port();
        let drops = UdpDrops::of_ports(&[port]).unwrap();
        assert_eq!(drops.sockets(), 1, "the other socket is none of them");
        assert_eq!(drops.read().unwrap(), 0);
        for _ in 0..100 {
            other.send_to(&[0; 1_000], deaf.local_addr().unwrap()).unwrap();
        }
        // All that did not fit, while what did still waits.
        deaf.set_nonblocking(true).unwrap();
        let kept = std::iter::repeat_with(|| deaf.recv(&mut [0; 2_000]).is_ok());
        let kept = u64::try_from(kept.take_while(|kept| *kept).count()).unwrap();
        assert!(kept > 0 && kept < 100, "{kept}");
        assert_eq!(drops.read().unwrap(), 100 - kept);
    }

    #[expect(clippy::unwrap_used, reason = "only tests are here")]
    fn deaf_bound(socket: socket2::Socket) -> socket2::Socket {
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).unwrap();
        socket
    }

    #[test]
    fn a_buffer_is_granted() {
        let granted = receive_buffer().unwrap();
        assert!(granted.given > 0 && granted.given <= granted.asked, "{granted:?}");
        assert!(Granted { asked: 100, given: 49 }.is_small());
        assert!(!Granted { asked: 100, given: 50 }.is_small());
    }
}
