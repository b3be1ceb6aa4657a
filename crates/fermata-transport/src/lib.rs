//! One WebRTC connection in our own words: ICE-lite, DTLS, SRTP, RTP and RTCP, SCTP, SDP.
//!
//! What it is: a sans-IO [`Transport`]. Datagrams and SDP text go in with `now`; datagrams go into an
//! [`egress::Egress`], plaintext packets, events and a deadline come out. The parts are our own, but for DTLS
//! (`dimpl`), SCTP (`sctp-proto`) and the ciphers (`aws-lc-rs`).
//!
//! What it is not: it knows no room, no participant and no signalling message; it does not choose layers,
//! does not rewrite sequence numbers, keeps no packet for retransmission, paces nothing, and never opens a socket
//! or reads a clock.
//!
//! # Contract
//! - Demultiplexing is the caller's: STUN by [`stun_username_ufrag`], everything else by the addresses from which
//!   STUN was taken. What comes from elsewhere is refused.
//! - After any call without an [`egress::Egress`] (a step of negotiation, data, a keyframe request, `close`) comes
//!   [`Transport::flush`] before the next wait; after any call with one, [`Transport::poll_event`] until `None` and
//!   then [`Transport::next_timeout`].
//! - The [`egress::Egress`] has to be emptied before it is full; what does not fit is lost, as on a network.
//!
//! # m-line reuse
//! A section that carried one track and now carries another keeps its SSRC. The peer's SRTP replay window and
//! jitter buffer know that SSRC, so whoever calls [`Transport::send_rtp`] has to continue sequence numbers
//! and timestamps per [`Mid`] across tracks. [`Transport::reset_sender`] is the way out where that is impossible.
//!
//! # Example
//! ```
//! use fermata_transport::{PeerKind, Transport, TransportConfig, egress::Egress};
//!
//! # let now = fermata_types::Now::read().instant;
//! let config = TransportConfig { candidates: vec!["127.0.0.1:7882".parse()?], ..Default::default() };
//! let secret = [7; 32]; // random in earnest
//! let mut transport = Transport::new(now, PeerKind::Subscriber, &config, secret);
//! let offer = transport.create_offer(false).ok_or("the first offer opens the data channels")?;
//! assert!(offer.contains("m=application"));
//! let mut out = Egress::new(64 * 1024, 64);
//! transport.flush(now, &mut out);
//! while transport.poll_event().is_some() {}
//! assert!(out.is_empty() && transport.next_timeout() > now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod candidates;
mod config;
mod description;
mod dtls;
pub mod egress;
mod error;
mod event;
mod events;
mod formats;
mod ice;
mod id;
pub mod limits;
mod media;
mod negotiation;
mod parts;
mod payload;
mod sctp;
mod send;
mod session;
mod stats;
pub mod stun;
mod transport;
pub mod turn;
mod wire;

pub use candidates::Protocol;
pub use config::{Channel, PeerKind, TransportConfig};
pub use description::sanitise_token;
pub use dtls::{Certificate, CertificateError};
pub use error::{SdpError, SendError, TransportError};
pub use event::{DependencyOut, Estimate, Event, Lost, RtpIn, RtpOut, SendSlot, SenderInfo};
pub use fermata_rtp::Codec;
pub use fermata_types::MediaKind;
pub use id::{Mid, Rid};
pub use negotiation::{Assignment, AudioTuning, Offered, OfferedSection};
pub use session::{Agreement, Session};
pub use stats::{StreamStats, TransportStats};
pub use stun::stun_username_ufrag;
pub use transport::Transport;
pub use wire::Wire;
