//! Light receivers: one thread that reads the sockets of all of them, counts every packet and decrypts a sample.
//!
//! The engine of a client makes ICE and DTLS and never sees media; feedback (reports, NACK, PLI, transport-wide
//! arrival times) is written here. What it is not: no decoder, and no judge of what was dropped on purpose.

mod reader;
mod stream;
mod totals;

use std::collections::HashMap;
use std::io::IoSliceMut;
use std::sync::mpsc;
use std::time::Duration;

use fermata_testkit::client::{Bypass, BypassMessage};
use fermata_types::Now;
use mio::{Events, Poll, Token};
use quinn_udp::{BATCH_SIZE, RecvMeta};
use tokio::sync::oneshot;

use self::reader::Reader;
pub(crate) use self::totals::Totals;
use crate::limits;

/// Bytes of one buffer: as much as the kernel coalesces.
const BUFFER_LEN: usize = 1 << 16;
/// Sockets told ready by one look.
const READY_MAX: usize = 1_024;

/// The thread of all light receivers; ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Receivers {
    bypass: mpsc::Sender<(u32, BypassMessage)>,
    control: mpsc::Sender<Control>,
}

enum Control {
    /// Sums until now.
    Totals(oneshot::Sender<Totals>),
    /// Delays count from now on.
    Measure,
}

impl Receivers {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (bypass, messages) = mpsc::channel();
        let (control, commands) = mpsc::channel();
        let poll = Poll::new()?;
        let mut thread = Thread {
            poll,
            messages,
            commands,
            readers: HashMap::default(),
            buffers: vec![vec![0; BUFFER_LEN]; BATCH_SIZE],
            feedback_at: Now::read(),
        };
        std::thread::Builder::new().name("receivers".to_owned()).spawn(move || thread.run())?;
        Ok(Self { bypass, control })
    }

    /// For the session of client `id`.
    pub(crate) fn bypass(&self, id: u32) -> Bypass {
        Bypass { id, sender: self.bypass.clone() }
    }

    /// Sums of all receivers; empty if the thread is gone.
    pub(crate) async fn totals(&self) -> Totals {
        let (reply, totals) = oneshot::channel();
        if self.control.send(Control::Totals(reply)).is_err() {
            return Totals::default();
        }
        totals.await.unwrap_or_default()
    }

    /// Delays count from now on.
    pub(crate) fn measure(&self) {
        // A thread that is gone shows in the sums.
        let _ = self.control.send(Control::Measure);
    }
}

struct Thread {
    poll: Poll,
    messages: mpsc::Receiver<(u32, BypassMessage)>,
    commands: mpsc::Receiver<Control>,
    readers: HashMap<u32, Reader, rustc_hash::FxBuildHasher>,
    buffers: Vec<Vec<u8>>,
    feedback_at: Now,
}

impl Thread {
    fn run(&mut self) {
        let mut events = Events::with_capacity(READY_MAX);
        loop {
            // The pause in which packets gather.
            match self.commands.recv_timeout(limits::GATHER) {
                Ok(command) => self.command(command),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            while let Ok((id, message)) = self.messages.try_recv() {
                self.message(id, message);
            }
            // An interrupted look is made again.
            if self.poll.poll(&mut events, Some(Duration::ZERO)).is_err() {
                continue;
            }
            for event in &events {
                let id = u32::try_from(event.token().0).unwrap_or(u32::MAX);
                if let Some(reader) = self.readers.get_mut(&id) {
                    read(reader, &mut self.buffers);
                }
            }
            let now = Now::read();
            if now.instant >= self.feedback_at.instant {
                self.feedback_at = now.plus(limits::FEEDBACK_LOOK);
                for reader in self.readers.values_mut() {
                    reader.feedback(now.instant);
                }
            }
        }
    }

    fn command(&mut self, command: Control) {
        match command {
            Control::Measure => self.readers.values_mut().for_each(Reader::measure),
            Control::Totals(reply) => {
                let mut totals = Totals::default();
                for reader in self.readers.values() {
                    reader.add_to(&mut totals);
                }
                // The asker may be gone.
                let _ = reply.send(totals);
            }
        }
    }

    fn message(&mut self, id: u32, message: BypassMessage) {
        if let BypassMessage::Socket { socket, datagrams } = message {
            // A socket that cannot be read shows in tracks that do not arrive.
            if let Ok(reader) =
                Reader::new(Now::read().instant, id, &socket, datagrams, &self.poll, token(id))
            {
                self.readers.insert(id, reader);
            }
        } else if let Some(reader) = self.readers.get_mut(&id) {
            reader.message(Now::read().instant, message, &self.poll);
        }
    }
}

fn token(id: u32) -> Token {
    Token(usize::try_from(id).unwrap_or(usize::MAX))
}

/// Reads everything that a socket has.
fn read(reader: &mut Reader, buffers: &mut [Vec<u8>]) {
    let mut metas = [RecvMeta::default(); BATCH_SIZE];
    loop {
        let now = Now::read();
        let mut slices: Vec<IoSliceMut<'_>> =
            buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let Ok(count) = reader.receive(&mut slices, &mut metas) else { return };
        for (buffer, meta) in buffers.iter_mut().zip(metas.iter().take(count)) {
            let Some(data) = buffer.get_mut(..meta.len) else { continue };
            for datagram in data.chunks_mut(meta.stride.max(1)) {
                reader.datagram(now, meta, datagram);
            }
        }
        if count < BATCH_SIZE {
            return;
        }
    }
}
