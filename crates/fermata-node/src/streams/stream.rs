//! One TCP connection of media: its bytes in, cut into datagrams, and its queue out.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use super::framing::{FrameQueue, FrameReader};

/// A connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own")]
pub(super) struct Stream {
    tcp: TcpStream,
    pub(super) peer: SocketAddr,
    /// Our address that it came to, as clients know it.
    pub(super) local: SocketAddr,
    pub(super) opened: Instant,
    /// A participant has counted on it; until then it may send nothing but ICE checks.
    pub(super) proved: bool,
    /// It waits among those that have more to read.
    pub(super) ready: bool,
    /// It waits among those that have something to write.
    pub(super) touched: bool,
    /// The peer has said its last; reading goes on until its end.
    pub(super) ending: bool,
    /// The kernel takes bytes; if not, it tells when it does again.
    pub(super) writable: bool,
    reader: FrameReader,
    pub(super) queue: FrameQueue,
}

/// How a turn of reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There may be more.
    More,
    /// There is nothing more for now.
    Drained,
    /// It is over: by the peer, or by an error of the network.
    Over,
    /// It sent what is no frame, or no ICE check where only those are allowed.
    Garbage,
}

impl Stream {
    /// A new one.
    pub(super) fn new(tcp: TcpStream, peer: SocketAddr, local: SocketAddr, now: Instant) -> Self {
        Self {
            tcp,
            peer,
            local,
            opened: now,
            proved: false,
            ready: false,
            touched: false,
            ending: false,
            writable: true,
            reader: FrameReader::default(),
            queue: FrameQueue::default(),
        }
    }

    /// What the kernel waits on.
    pub(super) fn source(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Reads once, and hands over each whole datagram with whether it proved itself before; `each` answers whether
    /// it has by now.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut each: impl FnMut(SocketAddr, SocketAddr, &mut [u8], bool) -> bool,
    ) -> Turn {
        let held = self.reader.restore(buffer);
        let Some(place) = buffer.get_mut(held..) else { return Turn::Garbage };
        let room = place.len();
        let count = match self.tcp.read(place) {
            Ok(0) => return Turn::Over,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Drained,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Turn::More,
            Err(_) => return Turn::Over,
        };
        let Some(bytes) = buffer.get_mut(..held + count) else { return Turn::Garbage };
        let Self { reader, proved, peer, local, .. } = self;
        let mut garbage = false;
        let cut = reader.cut(bytes, |datagram| {
            if !*proved && fermata_transport::stun_username_ufrag(datagram).is_none() {
                garbage = true;
                return false;
            }
            *proved = each(*peer, *local, datagram, *proved);
            true
        });
        if garbage || cut.is_err() {
            Turn::Garbage
        } else if count == room || self.ending {
            Turn::More
        } else {
            Turn::Drained
        }
    }

    /// Writes what waits, as far as the kernel takes it. An error is the end of the connection.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while self.writable && !self.queue.waiting().is_empty() {
            match self.tcp.write(self.queue.waiting()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.queue.written(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
