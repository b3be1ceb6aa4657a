//! The rooms' thread: waits for orders, reports of shards and deadlines, and hands them to the SFU one at a time.
//!
//! It decides nothing, and moves no packet. **Invariant:** no disk here, and no waiting but for its own poll and for
//! a shard whose queue is full.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use fermata_sfu::io::{
    Admitted, Command, ConnectionId, Input, Join, Output, Reply, RequestId, Verdict,
};
use fermata_sfu::{Sfu, SfuStats, ShardId, ShardOrder, ShardReport};
use fermata_types::{Now, Refusal, SdkAppId};
use livekit_protocol as lk;
use mio::{Events, Poll};
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{mpsc, oneshot};

use crate::counters::{Counters, count};
use crate::handle::{NodeEvent, SignalOut, SignalSink};
use crate::limits::{ORDERS_PER_WAKE, REQUESTS_MAX, SLEEP_MAX};
use crate::mesh::{Gone, ToShard, Work};
use crate::usage::UsageOut;

/// What the rest of the program asks of the rooms.
#[derive(Debug)]
pub(crate) enum Order {
    Join { join: Box<Join>, sink: SignalSink, answer: oneshot::Sender<Result<Admitted, Refusal>> },
    Signal(ConnectionId, Box<lk::signal_request::Message>),
    SignalClosed(ConnectionId),
    RefreshToken(ConnectionId, String),
    Command(Command, oneshot::Sender<Reply>),
    Verdict(SdkAppId, Verdict),
    Stats(oneshot::Sender<SfuStats>),
    Shutdown(oneshot::Sender<()>),
}

/// Somebody waits for the answer to a join.
#[derive(Debug)]
struct Asked {
    answer: oneshot::Sender<Result<Admitted, Refusal>>,
    probe: bool,
}

/// The thread's state.
#[derive(Debug)]
pub(crate) struct Rooms {
    sfu: Sfu,
    poll: Poll,
    orders: mpsc::Receiver<Order>,
    reports: Receiver<ShardReport>,
    shards: Vec<ToShard>,
    /// Shards that something was put for, one bit for each.
    to_wake: u64,
    /// A shard's thread has ended.
    lost: bool,
    usage: UsageOut,
    events: Option<mpsc::Sender<NodeEvent>>,
    counters: Arc<Counters>,
    sinks: HashMap<ConnectionId, SignalSink>,
    asked: HashMap<ConnectionId, Asked>,
    requests: HashMap<RequestId, oneshot::Sender<Reply>>,
    next_request: u64,
    /// Connections whose queue broke while outputs were being taken; the SFU hears of them afterwards.
    broken: Vec<ConnectionId>,
    deadline: Instant,
}

impl Rooms {
    pub(crate) fn new(
        sfu: Sfu,
        poll: Poll,
        (orders, reports): (mpsc::Receiver<Order>, Receiver<ShardReport>),
        shards: Vec<ToShard>,
        (usage, events): (UsageOut, Option<mpsc::Sender<NodeEvent>>),
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            sfu,
            poll,
            orders,
            reports,
            shards,
            to_wake: 0,
            lost: false,
            usage,
            events,
            counters,
            sinks: HashMap::new(),
            asked: HashMap::new(),
            requests: HashMap::new(),
            next_request: 0,
            broken: Vec::new(),
            deadline: Now::read().instant,
        }
    }

    /// Runs until it is told to stop, until nobody is left who could tell it, or until a shard's thread ends.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(8);
        let mut busy = true;
        loop {
            if let Err(error) = self.wait(&mut events, busy) {
                tracing::error!(%error, "The rooms' thread cannot wait.");
                return self.finish(None);
            }
            let now = Now::read();
            let more = self.take_reports(now);
            match self.take_orders(now) {
                Took::Some => busy = more,
                Took::Full => busy = true,
                Took::Shutdown(answer) => return self.finish(answer),
            }
            if now.instant >= self.deadline {
                self.input(now, Input::Timeout);
            }
            self.usage.flush();
            self.wake_shards();
            if self.lost || self.shards.iter().any(ToShard::has_ended) {
                tracing::error!("A media thread has ended; so does the node.");
                return self.finish(None);
            }
        }
    }

    /// Waits for the next thing to do; not at all if something is left over.
    fn wait(&mut self, events: &mut Events, busy: bool) -> io::Result<()> {
        let timeout = if busy {
            Duration::ZERO
        } else {
            self.deadline.saturating_duration_since(Now::read().instant).min(SLEEP_MAX)
        };
        match self.poll.poll(events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes what shards report; true if there may be more.
    fn take_reports(&mut self, now: Now) -> bool {
        for _ in 0..ORDERS_PER_WAKE {
            let Ok(report) = self.reports.try_recv() else { return false };
            self.input(now, Input::Report(report));
        }
        true
    }

    fn put(&mut self, shard: ShardId, order: ShardOrder) {
        let Some(to) = self.shards.get(shard.index()) else { return };
        match to.put(Work::Order(order)) {
            Ok(()) => self.to_wake |= 1_u64.checked_shl(shard.0.into()).unwrap_or(0),
            Err(Gone) => self.lost = true,
        }
    }

    fn wake_shards(&mut self) {
        for (place, shard) in self.shards.iter().enumerate() {
            if self.to_wake >> place & 1 == 1 {
                shard.wake();
            }
        }
        self.to_wake = 0;
    }

    fn take_orders(&mut self, now: Now) -> Took {
        for _ in 0..ORDERS_PER_WAKE {
            match self.orders.try_recv() {
                Ok(Order::Shutdown(answer)) => return Took::Shutdown(Some(answer)),
                Ok(order) => self.order(now, order),
                Err(TryRecvError::Empty) => return Took::Some,
                Err(TryRecvError::Disconnected) => return Took::Shutdown(None),
            }
        }
        Took::Full
    }

    fn order(&mut self, now: Now, order: Order) {
        match order {
            Order::Join { join, sink, answer } => {
                let probe = join.probe;
                if !probe {
                    self.sinks.insert(join.connection, sink);
                }
                self.asked.insert(join.connection, Asked { answer, probe });
                self.input(now, Input::Join(join));
            }
            Order::Signal(connection, message) => {
                self.input(now, Input::Signal(connection, message));
            }
            Order::SignalClosed(connection) => {
                self.sinks.remove(&connection);
                self.input(now, Input::SignalClosed(connection));
            }
            Order::RefreshToken(connection, token) => {
                self.input(now, Input::RefreshToken(connection, token));
            }
            Order::Command(command, answer) => self.command(now, command, answer),
            Order::Verdict(app, verdict) => self.input(now, Input::Verdict(app, verdict)),
            Order::Stats(answer) => {
                let _ = answer.send(self.sfu.stats());
            }
            // Taken care of by the caller.
            Order::Shutdown(answer) => drop(answer),
        }
    }

    fn command(&mut self, now: Now, command: Command, answer: oneshot::Sender<Reply>) {
        if self.requests.len() >= REQUESTS_MAX {
            // Dropping the answer refuses the request.
            count(&self.counters.requests_refused);
            return;
        }
        self.next_request = self.next_request.wrapping_add(1);
        let request = RequestId(self.next_request);
        self.requests.insert(request, answer);
        self.input(now, Input::Command(request, command));
    }

    /// One input, everything that follows from it, and from the connections that broke over it.
    fn input(&mut self, now: Now, input: Input) {
        self.sfu.handle_input(now, input);
        self.drain();
        while let Some(connection) = self.broken.pop() {
            self.sfu.handle_input(now, Input::SignalClosed(connection));
            self.drain();
        }
    }

    fn drain(&mut self) {
        loop {
            match self.sfu.poll_output() {
                Output::Order(shard, order) => self.put(shard, order),
                Output::Signal(connection, message) => {
                    self.send_to_client(connection, SignalOut::Message(message));
                }
                Output::RefreshToken(connection, order) => {
                    self.send_to_client(connection, SignalOut::RefreshToken(order));
                }
                Output::CloseSignal(connection) => {
                    self.send_to_client(connection, SignalOut::Close);
                    self.sinks.remove(&connection);
                }
                Output::Joined(connection, result) => self.joined(connection, result),
                Output::Usage(fact) => self.usage.push(fact),
                Output::Reply(request, reply) => {
                    if let Some(answer) = self.requests.remove(&request) {
                        let _ = answer.send(reply);
                    }
                }
                Output::Event(event) => self.tell(NodeEvent::Room(event)),
                Output::Samples(samples) => self.tell(NodeEvent::Samples(samples)),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// To those who watch; media does not wait for them.
    fn tell(&self, event: NodeEvent) {
        let Some(events) = &self.events else { return };
        if events.try_send(event).is_err() {
            count(&self.counters.events_dropped);
        }
    }

    fn joined(&mut self, connection: ConnectionId, result: Result<Admitted, Refusal>) {
        let Some(Asked { answer, probe }) = self.asked.remove(&connection) else { return };
        let admitted = result.is_ok();
        if !admitted {
            self.sinks.remove(&connection);
        }
        let heard = answer.send(result).is_ok();
        if admitted && !heard && !probe {
            // The client went away while it was being admitted.
            self.sinks.remove(&connection);
            self.broken.push(connection);
        }
    }

    /// To a client's queue. A full one means a client that does not read: its connection is closed, and it may resume.
    fn send_to_client(&mut self, connection: ConnectionId, message: SignalOut) {
        let Some(sink) = self.sinks.get(&connection) else {
            count(&self.counters.signal_dropped_gone);
            return;
        };
        match sink.try_send(message) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => count(&self.counters.signal_queue_full),
            Err(TrySendError::Closed(_)) => count(&self.counters.signal_dropped_gone),
        }
        // The SFU is not told here: what the client said before, above all that it leaves, may still be among
        // the orders, and whoever carries the connection says that it is closed behind that.
        self.sinks.remove(&connection);
    }

    /// Leave messages, closed stays, and every fact on its way to the log.
    fn finish(mut self, answer: Option<oneshot::Sender<()>>) {
        let now = Now::read();
        self.input(now, Input::Shutdown);
        self.shards.iter().for_each(ToShard::stop);
        self.usage.finish();
        if let Some(answer) = answer {
            let _ = answer.send(());
        }
    }
}

/// How taking orders ended.
enum Took {
    /// No more for now.
    Some,
    /// There may be more.
    Full,
    /// The node stops.
    Shutdown(Option<oneshot::Sender<()>>),
}
