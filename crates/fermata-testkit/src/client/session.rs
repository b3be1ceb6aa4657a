//! A client behind a WebSocket and UDP sockets. A shell: it moves bytes and decides nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fermata_types::Now;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::bypass::{Bypass, BypassMessage};
use super::janus::{self, Janus, JanusOptions};
use super::rtc::{
    ClientConfig, ClientError, ClientEvent, ClientOutput, Dialect, Layout, RtcClient,
};
use super::socket::Socket;
use super::url::{self, Attempt};
use crate::limits;
use crate::publish::{AudioOptions, VideoOptions};
use crate::statistics::Statistics;

/// How many waiting datagrams are read at once.
const DATAGRAMS_AT_ONCE: usize = 32;

/// How to connect.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// Base address of the server, `ws://` or `http://`. No TLS.
    pub url: String,
    /// Token to join with.
    pub token: String,
    /// The dialect.
    pub dialect: Dialect,
    /// Subscribe to everything.
    pub auto_subscribe: bool,
    /// Say that the client adapts what it receives to what it shows.
    pub adaptive_stream: bool,
    /// Local address of the UDP sockets.
    pub bind: IpAddr,
    /// Somebody else reads the subscriber connection's socket. Only in [`Dialect::Dual`].
    pub bypass: Option<Bypass>,
    /// The server is Janus, and this is our place in its room; the token says nothing then.
    pub janus: Option<JanusOptions>,
    /// What is asked of the video tracks received.
    pub layout: Layout,
    /// Audio to publish from the start.
    pub audio: Option<AudioOptions>,
    /// Video to publish from the start.
    pub video: Option<VideoOptions>,
}

impl SessionOptions {
    /// Two connections, subscribing to everything, from the loopback address.
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            dialect: Dialect::Dual,
            auto_subscribe: true,
            adaptive_stream: false,
            bind: Ipv4Addr::LOCALHOST.into(),
            bypass: None,
            janus: None,
            layout: Layout::All,
            audio: None,
            video: None,
        }
    }
}

/// A session did not start, or is no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The server answered the WebSocket request with an HTTP status.
    #[error("refused with status {status}: {body}")]
    Refused {
        /// The status.
        status: u16,
        /// The text with it.
        body: String,
    },
    /// The server's first message was a goodbye.
    #[error("told to leave, reason {reason}, action {action}")]
    Left {
        /// A `DisconnectReason`.
        reason: i32,
        /// 0 disconnect, 1 resume, 2 reconnect.
        action: i32,
    },
    /// Sockets failed.
    #[error("network: {detail}")]
    Network {
        /// The system's words.
        detail: String,
    },
    /// No answer within [`limits::JOIN_TIMEOUT`].
    #[error("timed out")]
    TimedOut,
    /// The session is over.
    #[error("session has ended")]
    Ended,
    /// The client refused.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A joined client. Dropping it ends it without a word, as a crash would; [`Session::leave`] says goodbye.
#[derive(Debug)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<ClientEvent>,
    join: lk::JoinResponse,
    task: JoinHandle<()>,
}

type Work = Box<dyn FnOnce(&mut RtcClient) + Send>;

enum Command {
    Run(Work),
    DropSignal,
    Resume(oneshot::Sender<Result<(), SessionError>>),
    Leave,
}

impl Session {
    /// Connects and joins; returns when the server has answered the join. Media connects after that.
    ///
    /// # Errors
    /// [`SessionError`] says why the server or the network refused.
    pub async fn connect(options: SessionOptions) -> Result<Self, SessionError> {
        let light = options.bypass.is_some() && options.dialect == Dialect::Dual;
        let own = bind(options.bind).await?;
        let other = bind(options.bind).await?;
        let local = [local(&own)?, local(&other)?];
        let other = match &options.bypass {
            Some(bypass) if light => Datagrams::pass(other, bypass)?,
            _ => Datagrams::Own(other),
        };
        let sockets = [Datagrams::Own(own), other];
        let config = ClientConfig {
            places: (3, 3),
            light,
            channels: options.janus.is_none(),
            layout: options.layout,
            ..ClientConfig::new(options.dialect, local)
        };
        // Boxed: it is large, and futures that hold it would be.
        let mut client = Box::new(RtcClient::new(Now::read(), &config));
        let offer = client.first_offer();
        if let Some(audio) = options.audio.clone() {
            client.publish_audio(audio)?;
        }
        if let Some(video) = options.video.clone() {
            client.publish_video(video)?;
        }
        let mut socket = match options.janus.clone() {
            Some(janus) => Socket::Janus(Box::new(Janus::connect(&options.url, janus).await?)),
            None => Socket::connect(&address(&options, None, offer)).await?,
        };
        let first = socket.first().await?;
        let Response::Join(join) = &first else { return Err(SessionError::Ended) };
        let join = join.clone();
        client.handle_signal(Now::read(), &first)?;

        let (commands, command_queue) = mpsc::channel(limits::COMMANDS_MAX);
        let (event_queue, events) = mpsc::channel(limits::EVENTS_MAX);
        let interval = u64::try_from(join.ping_interval).unwrap_or_default();
        let task = Task {
            client,
            socket: Some(socket),
            sockets,
            local,
            options,
            commands: command_queue,
            events: event_queue,
            events_dropped: 0,
            resuming: None,
            ping_every: if interval == 0 {
                limits::PING_INTERVAL
            } else {
                Duration::from_secs(interval)
            },
            ping_at: Now::read().instant,
            remote: None,
        };
        Ok(Self { commands, events, join, task: tokio::spawn(task.run()) })
    }

    /// The server's answer to the join.
    pub fn join_response(&self) -> &lk::JoinResponse {
        &self.join
    }

    /// Our participant sid.
    pub fn participant_sid(&self) -> &str {
        self.join.participant.as_ref().map_or("", |participant| participant.sid.as_str())
    }

    /// Runs `work` on the client between two inputs and returns its result.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut RtcClient) -> T + Send + 'static,
    ) -> Result<T, SessionError> {
        let (reply, result) = oneshot::channel();
        let work: Work = Box::new(move |client| {
            // The asker may be gone.
            let _ = reply.send(work(client));
        });
        self.command(Command::Run(work)).await?;
        result.await.map_err(|_| SessionError::Ended)
    }

    async fn command(&self, command: Command) -> Result<(), SessionError> {
        self.commands.send(command).await.map_err(|_| SessionError::Ended)
    }

    /// Publishes audio; returns its `cid`. The sid follows in a `TrackPublished` message.
    ///
    /// # Errors
    /// [`SessionError::Client`] or [`SessionError::Ended`].
    pub async fn publish_audio(&self, options: AudioOptions) -> Result<String, SessionError> {
        Ok(self.with(|client| client.publish_audio(options)).await??)
    }

    /// Publishes VP8 video; returns its `cid`.
    ///
    /// # Errors
    /// [`SessionError::Client`] or [`SessionError::Ended`].
    pub async fn publish_video(&self, options: VideoOptions) -> Result<String, SessionError> {
        Ok(self.with(|client| client.publish_video(options)).await??)
    }

    /// Ends a published track.
    ///
    /// # Errors
    /// [`SessionError::Client`] or [`SessionError::Ended`].
    pub async fn unpublish(&self, cid: &str) -> Result<(), SessionError> {
        let cid = cid.to_owned();
        Ok(self.with(move |client| client.unpublish(&cid)).await??)
    }

    /// Mutes or unmutes a published track.
    ///
    /// # Errors
    /// [`SessionError::Client`] or [`SessionError::Ended`].
    pub async fn mute(&self, cid: &str, muted: bool) -> Result<(), SessionError> {
        let cid = cid.to_owned();
        Ok(self.with(move |client| client.mute(&cid, muted)).await??)
    }

    /// Subscribes to tracks or ends it.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn subscribe(&self, sids: Vec<String>, subscribe: bool) -> Result<(), SessionError> {
        self.with(move |client| client.subscribe(sids, subscribe)).await
    }

    /// Asks for a quality, a size or a pause of received tracks.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn set_track_settings(
        &self,
        settings: lk::UpdateTrackSettings,
    ) -> Result<(), SessionError> {
        self.with(move |client| client.set_track_settings(settings)).await
    }

    /// Sends bytes to all others, or to the identities named.
    ///
    /// # Errors
    /// [`SessionError::Client`] or [`SessionError::Ended`].
    pub async fn send_data(
        &self,
        reliable: bool,
        topic: &str,
        payload: Vec<u8>,
        destinations: Vec<String>,
    ) -> Result<(), SessionError> {
        let topic = topic.to_owned();
        let send =
            move |client: &mut RtcClient| client.send_data(reliable, &topic, payload, destinations);
        Ok(self.with(send).await??)
    }

    /// Sends any signalling request.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn request(&self, request: Request) -> Result<(), SessionError> {
        self.with(move |client| client.request(request)).await
    }

    /// A copy of all counters.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn statistics(&self) -> Result<Statistics, SessionError> {
        self.with(|client| client.statistics()).await
    }

    /// Cuts the WebSocket without a word, as a lost network would. Media goes on.
    ///
    /// # Errors
    /// [`SessionError::Ended`].
    pub async fn drop_signal(&self) -> Result<(), SessionError> {
        self.command(Command::DropSignal).await
    }

    /// Connects the WebSocket again as the same participant; returns when the server has answered.
    ///
    /// # Errors
    /// [`SessionError::Left`] if the server wants a full reconnect instead, or what the network says.
    pub async fn resume(&self) -> Result<(), SessionError> {
        let (reply, result) = oneshot::channel();
        self.command(Command::Resume(reply)).await?;
        result.await.map_err(|_| SessionError::Ended)?
    }

    /// The next event within `timeout`; `None` when there is none or the session is over.
    pub async fn next_event(&mut self, timeout: Duration) -> Option<ClientEvent> {
        tokio::time::timeout(timeout, self.events.recv()).await.ok()?
    }

    /// Reads events until `pick` takes one, at most for `timeout`. Events before it are gone.
    pub async fn wait_for<T>(
        &mut self,
        timeout: Duration,
        mut pick: impl FnMut(&ClientEvent) -> Option<T>,
    ) -> Option<T> {
        let wait = async {
            loop {
                if let Some(picked) = pick(&self.events.recv().await?) {
                    return Some(picked);
                }
            }
        };
        tokio::time::timeout(timeout, wait).await.ok()?
    }

    /// Says goodbye and waits until everything is closed, at most [`limits::JOIN_TIMEOUT`].
    pub async fn leave(mut self) {
        let _ = self.command(Command::Leave).await;
        let _ = tokio::time::timeout(limits::JOIN_TIMEOUT, &mut self.task).await;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Makes a room of Janus' `VideoRoom` for any number of publishers, if there is none of that number.
///
/// # Errors
/// [`SessionError`] says what Janus or the network said.
pub async fn create_janus_room(url: &str, room: u64) -> Result<(), SessionError> {
    janus::create_room(url, room).await
}

/// Where the datagrams of one connection come from and go to.
enum Datagrams {
    /// A socket that the session reads.
    Own(UdpSocket),
    /// A socket that somebody else reads, who passes on what is not media.
    Passed { socket: Arc<std::net::UdpSocket>, queue: mpsc::Receiver<(SocketAddr, Vec<u8>)> },
}

impl Datagrams {
    fn pass(socket: UdpSocket, bypass: &Bypass) -> Result<Self, SessionError> {
        let socket = Arc::new(socket.into_std().map_err(network)?);
        let (datagrams, queue) = mpsc::channel(limits::EVENTS_MAX);
        let message = BypassMessage::Socket { socket: Arc::clone(&socket), datagrams };
        bypass.sender.send((bypass.id, message)).map_err(network)?;
        Ok(Self::Passed { socket, queue })
    }

    /// The next datagram, cut at the length of the buffer. Safe to be cancelled.
    async fn receive(&mut self, buffer: &mut [u8]) -> std::io::Result<(usize, SocketAddr)> {
        match self {
            Self::Own(socket) => socket.recv_from(buffer).await,
            Self::Passed { queue, .. } => match queue.recv().await {
                Some(datagram) => Ok(copy(&datagram, buffer)),
                None => std::future::pending().await,
            },
        }
    }

    /// Another datagram, if one is there.
    fn try_receive(&mut self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        match self {
            Self::Own(socket) => socket.try_recv_from(buffer).ok(),
            Self::Passed { queue, .. } => Some(copy(&queue.try_recv().ok()?, buffer)),
        }
    }

    /// What the system does not take is lost, as on any network.
    fn send(&self, data: &[u8], destination: SocketAddr) {
        match self {
            Self::Own(socket) => {
                let _ = socket.try_send_to(data, destination);
            }
            Self::Passed { socket, .. } => {
                let _ = socket.send_to(data, destination);
            }
        }
    }
}

fn copy(datagram: &(SocketAddr, Vec<u8>), buffer: &mut [u8]) -> (usize, SocketAddr) {
    let (from, data) = datagram;
    let len = data.len().min(buffer.len());
    for (to, byte) in buffer.iter_mut().zip(data) {
        *to = *byte;
    }
    (len, *from)
}

async fn bind(address: IpAddr) -> Result<UdpSocket, SessionError> {
    UdpSocket::bind(SocketAddr::new(address, 0)).await.map_err(network)
}

fn local(socket: &UdpSocket) -> Result<SocketAddr, SessionError> {
    socket.local_addr().map_err(network)
}

fn network(error: impl std::fmt::Display) -> SessionError {
    SessionError::Network { detail: error.to_string() }
}

fn address(
    options: &SessionOptions,
    resume: Option<&str>,
    offer: Option<lk::SessionDescription>,
) -> String {
    let attempt = Attempt {
        base: &options.url,
        token: &options.token,
        auto_subscribe: options.auto_subscribe,
        adaptive_stream: options.adaptive_stream,
        resume,
    };
    match options.dialect {
        Dialect::Dual => url::dual(&attempt),
        Dialect::Single => url::single(&attempt, offer),
    }
}

type Resumed = Result<(Socket, Response), SessionError>;

/// A resume under way, and who asked for it.
type Resuming = (JoinHandle<Resumed>, oneshot::Sender<Result<(), SessionError>>);

/// What runs beside the owner of a [`Session`].
struct Task {
    client: Box<RtcClient>,
    socket: Option<Socket>,
    sockets: [Datagrams; 2],
    local: [SocketAddr; 2],
    options: SessionOptions,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<ClientEvent>,
    events_dropped: u64,
    resuming: Option<Resuming>,
    ping_every: Duration,
    ping_at: Instant,
    /// Where the passed connection sends, as last told.
    remote: Option<SocketAddr>,
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bypass) = &self.options.bypass {
            bypass.tell(BypassMessage::Ended);
        }
    }
}

impl Task {
    async fn run(mut self) {
        let mut buffers = [(); 2].map(|()| vec![0; limits::DATAGRAM_LEN_MAX]);
        loop {
            let until = self.drain().await.min(self.ping_at);
            let [first, second] = &mut buffers;
            let [own, other] = &mut self.sockets;
            tokio::select! {
                command = self.commands.recv() => {
                    if !self.command(command).await {
                        return;
                    }
                }
                message = next(&mut self.socket) => self.signal(message),
                resumed = resumed(&mut self.resuming) => self.resumed(resumed),
                Ok((len, from)) = own.receive(first) => self.datagrams(0, first, len, from),
                Ok((len, from)) = other.receive(second) => self.datagrams(1, second, len, from),
                () = tokio::time::sleep_until(until.into()) => self.time(),
            }
        }
    }

    /// Moves every output to where it belongs; returns when the client wants to be called again.
    async fn drain(&mut self) -> Instant {
        loop {
            match self.client.poll() {
                ClientOutput::Signal(request) => self.send(&request).await,
                ClientOutput::Transmit(transmit) => {
                    let at = usize::from(self.local[1] == transmit.source);
                    self.sockets[at].send(&transmit.data, transmit.destination);
                    if let (1, Some(bypass)) = (at, &self.options.bypass)
                        && self.remote != Some(transmit.destination)
                    {
                        self.remote = Some(transmit.destination);
                        bypass.tell(BypassMessage::Remote(transmit.destination));
                    }
                }
                ClientOutput::Keys(keys) => {
                    if let Some(bypass) = &self.options.bypass {
                        bypass.tell(BypassMessage::Keys(keys));
                    }
                }
                ClientOutput::Streams(map) => {
                    if let Some(bypass) = &self.options.bypass {
                        bypass.tell(BypassMessage::Streams(map));
                    }
                }
                ClientOutput::Event(event) => self.event(event),
                ClientOutput::Timeout(at) => return at,
            }
        }
    }

    fn event(&mut self, event: ClientEvent) {
        if self.events.try_send(event).is_err() {
            self.events_dropped += 1;
            self.client.note_events_dropped(self.events_dropped);
        }
    }

    async fn send(&mut self, request: &lk::SignalRequest) {
        let Some(socket) = &mut self.socket else { return };
        if !socket.send(request).await {
            self.signal(None);
        }
    }

    /// Is the session to go on?
    async fn command(&mut self, command: Option<Command>) -> bool {
        match command {
            Some(Command::Run(work)) => work(&mut self.client),
            Some(Command::DropSignal) => self.socket = None,
            Some(Command::Resume(reply)) => {
                let sid = self.client.participant_sid().to_owned();
                let url = address(&self.options, Some(&sid), None);
                self.socket = None;
                let connecting = tokio::spawn(async move {
                    let mut socket = Socket::connect(&url).await?;
                    let first = socket.first().await?;
                    Ok((socket, first))
                });
                self.resuming = Some((connecting, reply));
            }
            Some(Command::Leave) | None => {
                self.client.leave();
                self.drain().await;
                if let Some(socket) = &mut self.socket {
                    socket.close().await;
                }
                return false;
            }
        }
        true
    }

    fn resumed(&mut self, resumed: Resumed) {
        let Some((_, reply)) = self.resuming.take() else { return };
        let result = resumed.map(|(socket, first)| {
            self.socket = Some(socket);
            self.signal(Some(first));
            self.client.resume();
        });
        // The asker may be gone.
        let _ = reply.send(result);
    }

    fn signal(&mut self, message: Option<Response>) {
        let Some(message) = message else {
            self.socket = None;
            self.event(ClientEvent::SignalClosed);
            return;
        };
        if let Err(fault) = self.client.handle_signal(Now::read(), &message) {
            self.event(ClientEvent::Fault(fault));
        }
    }

    fn datagrams(&mut self, at: usize, buffer: &mut [u8], len: usize, from: SocketAddr) {
        let (Some(socket), Some(local)) = (self.sockets.get_mut(at), self.local.get(at)) else {
            return;
        };
        let mut read = (len, from);
        for left in (0..DATAGRAMS_AT_ONCE).rev() {
            if let Some(data) = buffer.get(..read.0) {
                self.client.handle_datagram(Now::read(), read.1, *local, data);
            }
            if left == 0 {
                return;
            }
            match socket.try_receive(buffer) {
                Some(next) => read = next,
                None => return,
            }
        }
    }

    fn time(&mut self) {
        let now = Now::read();
        if now.instant >= self.ping_at {
            self.ping_at = now.instant + self.ping_every;
            let timestamp = now.wall.as_millisecond();
            self.client.request(Request::PingReq(lk::Ping { timestamp, rtt: 0 }));
        }
        self.client.handle_timeout(now);
    }
}

async fn next(socket: &mut Option<Socket>) -> Option<Response> {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn resumed(resuming: &mut Option<Resuming>) -> Resumed {
    match resuming {
        Some((task, _)) => task.await.unwrap_or(Err(SessionError::Ended)),
        None => std::future::pending().await,
    }
}
