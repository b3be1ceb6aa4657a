//! One WebRTC connection in our own words: ICE-lite, DTLS, SRTP, SCTP, SDP.
//!
//! What it is: a sans-IO [`Transport`] over str0m in RTP mode. Datagrams and SDP text go in with `now`,
//! datagrams, events and a deadline come out of [`Transport::poll`]. No str0m type is visible outside.
//!
//! What it is not: it knows no room, no participant and no signalling message; it does not choose layers,
//! does not rewrite sequence numbers and never opens a socket or reads a clock.
//!
//! # Contract
//! After **every single** call that takes `&mut self` (one datagram, one packet sent, one SDP step) poll until
//! [`Poll::Timeout`] before the next one. The engine below holds one pending packet, so feeding two datagrams
//! between polls loses media. Calls made in answer to an event *within* the polling loop are fine.
//!
//! # m-line reuse
//! A section that carried one track and now carries another keeps its SSRC. The peer's SRTP replay window and
//! jitter buffer know that SSRC, so whoever calls [`Transport::send_rtp`] has to continue sequence numbers
//! and timestamps per [`Mid`] across tracks. [`Transport::reset_sender`] is the way out where that is impossible.
//!
//! # Example
//! ```
//! use fermata_transport::{PeerKind, Poll, Transport, TransportConfig};
//!
//! # let now = fermata_types::Now::read().instant;
//! let config = TransportConfig { candidates: vec!["127.0.0.1:7882".parse()?], ..Default::default() };
//! let mut transport = Transport::new(now, PeerKind::Subscriber, &config);
//! let offer = transport.create_offer(false).ok_or("the first offer opens the data channels")?;
//! assert!(offer.contains("m=application"));
//! while !matches!(transport.poll(), Poll::Timeout(_)) {}
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod codecs;
mod config;
mod error;
mod event;
mod id;
pub mod limits;
mod lines;
mod negotiate;
mod payload;
mod sdp;
mod send;
mod stats;
mod stun;
mod transport;

pub use config::{Channel, PeerKind, TransportConfig};
pub use error::{SdpError, SendError, TransportError};
pub use event::{Event, Poll, RtpIn, RtpOut, SenderInfo, Transmit};
pub use fermata_rtp::Codec;
pub use fermata_types::MediaKind;
pub use id::{Mid, Rid};
pub use negotiate::{Assignment, AudioTuning, Offered, OfferedSection};
pub use sdp::sanitise_token;
pub use stats::{StreamStats, TransportStats};
pub use stun::stun_username_ufrag;
pub use transport::Transport;
