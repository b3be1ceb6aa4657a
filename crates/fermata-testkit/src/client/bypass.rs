//! Taking media past the engine: the keys of a connection, taken out where DTLS hands them to it.
//!
//! A receiver of thousands of packets a second need not decrypt and copy each of them to be counted. With the keys
//! and the [`StreamMap`] its owner reads the socket itself and gives the engine only what is not media.

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial,
    ProtocolVersion, SrtpProfile,
};
use str0m::crypto::{CryptoError, CryptoProvider};
use tokio::sync::mpsc;

pub use super::streams::{StreamMap, StreamTrack};

/// How media is protected on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaProfile {
    /// `AEAD_AES_128_GCM` (RFC 7714).
    Gcm128,
    /// `AEAD_AES_256_GCM` (RFC 7714).
    Gcm256,
    /// `AES128_CM_HMAC_SHA1_80` (RFC 3711).
    CmSha1,
}

/// What DTLS exported for SRTP (RFC 5764 section 4.2).
#[derive(Clone, PartialEq, Eq)]
pub struct MediaKeys {
    /// What the two sides agreed on.
    pub profile: MediaProfile,
    /// Client key, server key, client salt, server salt, one behind the other.
    pub material: Vec<u8>,
    /// We are the DTLS client: we send with the client key.
    pub client: bool,
}

impl std::fmt::Debug for MediaKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaKeys")
            .field("profile", &self.profile)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Who reads the subscriber connection's socket in place of a session.
#[derive(Debug, Clone)]
pub struct Bypass {
    /// Names the session in what it sends.
    pub id: u32,
    /// Where it sends it.
    pub sender: std::sync::mpsc::Sender<(u32, BypassMessage)>,
}

impl Bypass {
    /// The reader may be gone; then nobody is left to be told.
    pub(super) fn tell(&self, message: BypassMessage) {
        let _ = self.sender.send((self.id, message));
    }
}

/// What a session tells the reader of its socket.
#[derive(Debug)]
pub enum BypassMessage {
    /// First of all: the socket, not blocking, and where datagrams go that are not media.
    Socket {
        /// To be read by the owner; the session goes on sending from it.
        socket: Arc<UdpSocket>,
        /// Datagrams with the addresses that they came from.
        datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    },
    /// DTLS is done.
    Keys(MediaKeys),
    /// What the server sends, after every negotiation.
    Streams(Box<StreamMap>),
    /// The server's address that the connection uses.
    Remote(SocketAddr),
    /// The session is over.
    Ended,
}

thread_local! {
    /// Keys that the connection which is being driven on this thread has just made; taken right after.
    static MADE: RefCell<Option<MediaKeys>> = const { RefCell::new(None) };
}

/// Keys made since the last call by the connection that this thread drives.
pub(super) fn take_keys() -> Option<MediaKeys> {
    MADE.with_borrow_mut(Option::take)
}

/// The engine's crypto, with a look at the keys.
pub(super) fn crypto() -> Arc<CryptoProvider> {
    static WATCHED: Watched = Watched;
    Arc::new(CryptoProvider { dtls_provider: &WATCHED, ..str0m::crypto::from_feature_flags() })
}

/// Is the datagram SRTP or SRTCP (RFC 7983 section 7)?
pub fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(128..=191))
}

#[derive(Debug)]
struct Watched;

impl DtlsProvider for Watched {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        str0m::crypto::from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let provider = str0m::crypto::from_feature_flags().dtls_provider;
        let inner = provider.new_dtls(certificate, now, version, mtu)?;
        Ok(Box::new(WatchedInstance { inner }))
    }
}

#[derive(Debug)]
struct WatchedInstance {
    inner: Box<dyn DtlsInstance>,
}

impl DtlsInstance for WatchedInstance {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let client = self.inner.is_active();
        let output = self.inner.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            let made = keys(material, *profile, client);
            MADE.with_borrow_mut(|slot| *slot = made);
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}

fn keys(material: &KeyingMaterial, profile: SrtpProfile, client: bool) -> Option<MediaKeys> {
    let profile = match profile {
        SrtpProfile::AEAD_AES_128_GCM => MediaProfile::Gcm128,
        SrtpProfile::AEAD_AES_256_GCM => MediaProfile::Gcm256,
        SrtpProfile::AES128_CM_SHA1_80 => MediaProfile::CmSha1,
        _ => return None,
    };
    Some(MediaKeys { profile, material: material.to_vec(), client })
}
