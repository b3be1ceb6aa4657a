//! A media thread: waits for packets, work and deadlines, and hands them to its shard one at a time.
//!
//! It decides nothing. **Invariant:** no lock, no disk and no waiting here but for its own poll.

use std::io;
use std::time::{Duration, Instant};

use fermata_sfu::{Datagrams, Shard, ShardHop, ShardId, ShardReport};
use fermata_types::Now;
use mio::{Events, Poll, Token};
use std::sync::mpsc::TryRecvError;

use crate::inbox::{Inbox, Run};
use crate::limits::{DATAGRAMS_PER_WAKE, GATHER_FROM, GATHER_MAX, ORDERS_PER_WAKE, SLEEP_MAX};
use crate::mesh::{Gone, ShardInbox, ToRooms, ToShard, Work};
use crate::socket::{SOCKET, Socket};
use crate::streams::Streams;

/// The waker's token; the socket's is [`SOCKET`].
pub(crate) const WAKER: Token = Token(usize::MAX);

/// The thread's state.
#[derive(Debug)]
pub(crate) struct ShardThread {
    shard: Shard,
    poll: Poll,
    socket: Socket,
    streams: Option<Streams>,
    inbox: ShardInbox,
    rooms: ToRooms,
    /// The ways to all shards, by their places.
    others: Vec<ToShard>,
    /// What a full queue did not take; nothing else is taken from the core before.
    held_report: Option<ShardReport>,
    held_hop: Option<(ShardId, ShardHop)>,
    /// Shards that something was put for, one bit for each.
    to_wake: u64,
    deadline: Instant,
    /// When the last round began, and how many media packets had come by then.
    woken: Instant,
    packets_before: u64,
}

impl ShardThread {
    pub(crate) fn new(
        shard: Shard,
        poll: Poll,
        (socket, streams): (Socket, Option<Streams>),
        inbox: ShardInbox,
        rooms: ToRooms,
        others: Vec<ToShard>,
    ) -> Self {
        let now = Now::read().instant;
        Self {
            shard,
            poll,
            socket,
            streams,
            inbox,
            rooms,
            others,
            held_report: None,
            held_hop: None,
            to_wake: 0,
            deadline: now,
            woken: now,
            packets_before: 0,
        }
    }

    /// Runs until it is told to stop, or until nobody is left who could tell it.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut inbox = Inbox::new();
        let mut busy = true;
        loop {
            if let Err(error) = self.wait(&mut events, busy) {
                tracing::error!(%error, "A media thread cannot wait for packets.");
                return;
            }
            let received = self.receive(&mut inbox);
            let now = Now::read();
            let hops = self.take_hops(now);
            let took = self.take_work(now);
            if now.instant >= self.deadline {
                self.shard.handle_timeout(now);
            }
            let told = received.and_then(|()| self.transmit(now));
            match took {
                Took::Some if told.is_ok() => busy = hops,
                Took::Full if told.is_ok() => busy = true,
                _ => return,
            }
        }
    }

    /// Sends what is due, and tells the others what they have to know.
    fn transmit(&mut self, now: Now) -> Result<(), Gone> {
        while let Some(egress) = self.shard.poll_egress(now) {
            for batch in egress.batches() {
                match self.streams.as_mut().filter(|it| it.owns(batch.path.source)) {
                    Some(streams) => streams.send(&batch),
                    None => self.socket.send(&batch),
                }
            }
            if let Some(streams) = &mut self.streams {
                streams.flush();
            }
        }
        let told = self.tell();
        // Whatever waits for its turn has moved the deadline.
        self.deadline = self.shard.next_timeout();
        told
    }

    /// Reports to the rooms, hops to other shards, as far as their queues take them.
    fn tell(&mut self) -> Result<(), Gone> {
        let mut reported = false;
        while let Some(report) = self.held_report.take().or_else(|| self.shard.poll_report()) {
            match self.rooms.put(report) {
                Ok(()) => reported = true,
                Err(Ok(report)) => {
                    self.held_report = Some(report);
                    break;
                }
                Err(Err(gone)) => return Err(gone),
            }
        }
        if reported {
            self.rooms.wake();
        }
        while let Some((to, hop)) = self.held_hop.take().or_else(|| self.shard.poll_hop()) {
            let Some(other) = self.others.get(to.index()) else { continue };
            match other.put_hop(self.shard.id(), hop) {
                Ok(()) => self.to_wake |= 1_u64.checked_shl(to.0.into()).unwrap_or(0),
                Err(Some(hop)) => {
                    self.held_hop = Some((to, hop));
                    break;
                }
                Err(None) => return Err(Gone),
            }
        }
        for (place, other) in self.others.iter().enumerate() {
            if self.to_wake >> place & 1 == 1 {
                other.wake();
            }
        }
        self.to_wake = 0;
        Ok(())
    }

    /// Waits for the next thing to do; not at all if something is left over.
    fn wait(&mut self, events: &mut Events, busy: bool) -> io::Result<()> {
        let left = self.held_report.is_some() || self.held_hop.is_some();
        let readable = |streams: &Streams| streams.is_readable();
        let readable = self.streams.as_ref().is_some_and(readable) || self.socket.is_readable();
        let timeout = if busy || readable {
            Duration::ZERO
        } else {
            let sleep_max = if left { GATHER_MAX } else { SLEEP_MAX };
            self.deadline.saturating_duration_since(Now::read().instant).min(sleep_max)
        };
        self.gather();
        match self.poll.poll(events, Some(timeout)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        self.woken = Now::read().instant;
        for event in &*events {
            if event.token() == SOCKET {
                self.socket.mark_readable();
            } else if let Some(streams) = &mut self.streams {
                streams.on_event(event);
            }
        }
        Ok(())
    }

    /// Takes datagrams, so many that timers and work are not kept waiting. What follows from one call's
    /// datagrams goes out together, so that the kernel gets long runs.
    fn receive(&mut self, inbox: &mut Inbox) -> Result<(), Gone> {
        self.packets_before = self.shard.packets_in();
        let mut taken = 0;
        while taken < DATAGRAMS_PER_WAKE {
            let filled = self.socket.receive(inbox);
            if filled == 0 {
                break;
            }
            let now = Now::read();
            for run in inbox.runs(filled) {
                taken += run.count();
                let Run { source, data, segment_len } = run;
                let destination = self.socket.destination(source);
                let datagrams = Datagrams { source, destination, data, segment_len };
                self.shard.handle_datagrams(now, datagrams);
            }
            self.transmit(now)?;
        }
        self.receive_streams()
    }

    /// The same from TCP connections: those that wait are taken in, those that are of no more use closed.
    fn receive_streams(&mut self) -> Result<(), Gone> {
        let mut taken = 0;
        loop {
            let Self { streams: Some(streams), shard, .. } = self else { return Ok(()) };
            let now = Now::read();
            if taken == 0 {
                streams.accept(now.instant);
                streams.sweep(now.instant, |source, destination| shard.knows(source, destination));
                streams.flush();
            }
            let received = streams.receive(|source, destination, data, proved| {
                let segment_len = data.len();
                let datagrams = Datagrams { source, destination, data, segment_len };
                shard.handle_datagrams(now, datagrams);
                proved || shard.knows(source, destination)
            });
            let Some(received) = received else { return Ok(()) };
            taken += received.max(1);
            self.transmit(now)?;
            if taken >= DATAGRAMS_PER_WAKE {
                return Ok(());
            }
        }
    }

    /// Under load, lets datagrams gather for a moment: what comes and goes together costs a fraction of what
    /// it costs one by one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the moment is what is waited for; nothing could end it"
    )]
    fn gather(&mut self) {
        let due = self.woken + GATHER_MAX;
        let wait = due.saturating_duration_since(Now::read().instant);
        // Strangers' datagrams slow nobody down.
        let received = self.shard.packets_in() - self.packets_before;
        if received >= GATHER_FROM && !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }

    /// Takes what other shards handed over; true if there may be more.
    fn take_hops(&mut self, now: Now) -> bool {
        for _ in 0..ORDERS_PER_WAKE {
            let Ok((from, hop)) = self.inbox.hops.try_recv() else { return false };
            self.shard.handle_hop(now, from, hop);
        }
        true
    }

    fn take_work(&mut self, now: Now) -> Took {
        for _ in 0..ORDERS_PER_WAKE {
            match self.inbox.work.try_recv() {
                Ok(Work::Order(order)) => self.shard.handle_order(now, order),
                Ok(Work::Stats(answer)) => {
                    let _ = answer.send(self.shard.stats());
                }
                Ok(Work::Stop) | Err(TryRecvError::Disconnected) => return Took::Stop,
                Err(TryRecvError::Empty) => return Took::Some,
            }
        }
        Took::Full
    }
}

/// How taking work ended.
enum Took {
    /// No more for now.
    Some,
    /// There may be more.
    Full,
    /// The node stops.
    Stop,
}
