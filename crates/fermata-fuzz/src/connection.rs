//! A connection under strange datagrams and session descriptions.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Instant;

use fermata_transport::egress::Egress;
use fermata_transport::{Certificate, MediaKind, PeerKind, Transport, TransportConfig};
use fermata_types::Now;

/// Room for whatever is answered.
const ANSWER_BYTES: usize = 256 * 1024;
const ANSWERS: usize = 128;

/// A STUN message; who it is for.
pub(crate) fn stun(data: &[u8]) {
    let _ = fermata_transport::stun_username_ufrag(data);
    deliver(&mut connection(PeerKind::Publisher), data);
}

/// Datagrams one behind the other, each with its length in two bytes before it.
pub(crate) fn datagrams(data: &[u8]) {
    let (Some(kind), mut rest) = (data.first(), data.get(1..).unwrap_or_default()) else { return };
    let kinds = [PeerKind::Publisher, PeerKind::Subscriber, PeerKind::Single];
    let mut transport = connection(kinds[usize::from(*kind) % kinds.len()]);
    while let [high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (datagram, behind) = tail.split_at(len);
        deliver(&mut transport, datagram);
        rest = behind;
    }
}

/// A client's offer; where it is taken, the answer to it, and an offer once more.
pub(crate) fn sdp_offer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in [PeerKind::Publisher, PeerKind::Single] {
        let mut transport = connection(kind);
        let Ok(offered) = transport.accept_offer(text) else { continue };
        for section in &offered.sections {
            let _ = transport.sendable_codecs(section.mid);
        }
        let _ = transport.answer(&[]);
        let _ = transport.accept_offer(text);
        let _ = transport.answer(&[]);
    }
}

/// A client's answer to an offer of two tracks; to the next one too.
pub(crate) fn sdp_answer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut transport = connection(PeerKind::Subscriber);
    transport.add_track(MediaKind::Audio, "PA_a|camera", "TR_a");
    let video = transport.add_track(MediaKind::Video, "PA_a|camera", "TR_b");
    for _ in 0..2 {
        let offer = transport.create_offer(false);
        assert!(offer.is_some() || transport.has_pending_offer(), "there is something to offer");
        let _ = transport.accept_answer(text);
        transport.stop_track(video);
    }
}

fn now() -> Instant {
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(|| Now::read().instant)
}

fn addresses() -> (SocketAddr, SocketAddr) {
    ((([198, 51, 100, 7]), 40_000).into(), (([192, 0, 2, 1]), 7_882).into())
}

/// A fresh connection, the same each time but for its certificate.
fn connection(kind: PeerKind) -> Transport {
    static CONFIG: OnceLock<TransportConfig> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        #[expect(clippy::expect_used, reason = "without a certificate there is nothing to try")]
        let certificate = Certificate::generate().expect("a certificate can be made");
        TransportConfig {
            candidates: vec![addresses().1],
            certificate: Some(certificate),
            ..TransportConfig::default()
        }
    });
    Transport::new(now(), kind, config, [7; 32])
}

fn deliver(transport: &mut Transport, datagram: &[u8]) {
    thread_local! {
        // A buffer of this size costs the system more than a datagram costs us: one for all of them.
        static ANSWER: RefCell<Egress> = RefCell::new(Egress::new(ANSWER_BYTES, ANSWERS));
    }
    let (source, destination) = addresses();
    let mut data = datagram.to_vec();
    ANSWER.with_borrow_mut(|egress| {
        egress.clear();
        let _ = transport.handle_datagram(now(), source, destination, &mut data, egress);
        let answered: usize = egress.datagrams().map(|(_, bytes)| bytes.len()).sum();
        assert!(answered <= datagram.len().max(1), "a stranger gets no more bytes than it sent");
    });
    while transport.poll_event().is_some() {}
}
