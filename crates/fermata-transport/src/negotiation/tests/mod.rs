//! Both ways of negotiating, against offers of real clients and against a client of another make.

mod answers;
mod hostile;
mod offers;

use super::*;
use crate::description::{Direction, parse};
use crate::parts::Payload;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{
    Direction as ClientDirection, MediaKind as ClientKind, Simulcast, SimulcastLayer,
};
use str0m::{Candidate, Rtc};

/// Offers of real clients.
const CORPUS: [&str; 3] = [
    include_str!("../../../tests/sdp/chromium.sdp"),
    include_str!("../../../tests/sdp/native.sdp"),
    include_str!("../../../tests/sdp/firefox.sdp"),
];

fn credentials(name: &str) -> Credentials {
    Credentials { ufrag: name.to_owned(), pwd: format!("{name}-0123456789abcdefghij") }
}

fn config(kind: PeerKind) -> NegotiationConfig {
    NegotiationConfig {
        kind,
        credentials: credentials("ours"),
        fingerprint: [0xab; 32],
        candidates: HostCandidates::new(
            &["192.0.2.1:7882", "[2001:db8::1]:7882", "0.0.0.0:1", "192.0.2.1:7883"]
                .map(|address| address.parse().unwrap()),
            &["192.0.2.1:7881", "192.0.2.1:0", "[2001:db8::1]:7881"]
                .map(|address| address.parse().unwrap()),
        ),
        message_len_max: 262_144,
        reuse_sections: false,
        seed: [7; 32],
    }
}

fn end(kind: PeerKind) -> Negotiation {
    Negotiation::new(config(kind))
}

/// A client that is str0m.
fn client() -> Rtc {
    let now = fermata_types::Now::read().instant;
    let mut client = Rtc::builder().set_rtp_mode(true).enable_opus(true, true).build(now);
    client.add_local_candidate(Candidate::host("198.51.100.7:4".parse().unwrap(), "udp").unwrap());
    client
}

/// Lines of one section.
fn section<'a>(text: &'a str, mid: &str) -> Vec<&'a str> {
    let wanted = format!("a=mid:{mid}");
    text.split("\r\nm=")
        .map(|section| section.lines().collect::<Vec<_>>())
        .find(|lines| lines.iter().any(|line| *line == wanted))
        .unwrap_or_default()
}

fn msids(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("a=msid:")).collect()
}

/// The client answers our offer.
fn answered(client: &mut Rtc, offer: &str) -> String {
    let offer = SdpOffer::from_sdp_string(offer).unwrap();
    client.sdp_api().accept_offer(offer).unwrap().to_sdp_string()
}

/// We offer what is staged and the client answers.
fn renegotiate(ours: &mut Negotiation, client: &mut Rtc) -> String {
    let offer = ours.create_offer(None).expect("something staged");
    let answer = answered(client, &offer);
    ours.accept_answer(&answer).unwrap();
    offer
}

fn client_takes(client: &mut Rtc, pending: SdpPendingOffer, answer: &str) {
    let answer = SdpAnswer::from_sdp_string(answer).unwrap();
    client.sdp_api().accept_answer(pending, answer).unwrap();
}

fn sends(ours: &Negotiation, mid: Mid, codec: Codec) -> bool {
    ours.negotiated().line(mid).is_some_and(|line| line.sending && line.payload(codec).is_some())
}

/// What holds of every answer: it reads back, has the sections of the offer in its order, and in each nothing
/// that was not offered.
fn check_answer(offer: &str, answer: &str) {
    let (offer, answer) = (parse(offer).unwrap(), parse(answer).unwrap());
    assert_eq!(answer.sections.len(), offer.sections.len());
    for (offered, said) in offer.sections.iter().zip(&answer.sections) {
        assert_eq!((said.mid, said.head.word), (offered.mid, offered.head.word));
        assert_eq!(said.head.proto, offered.head.proto);
        if said.rejected {
            continue;
        }
        assert!(!offered.rejected && said.media == offered.media);
        if said.media == Media::Data {
            continue;
        }
        assert!(!said.direction.sends() || offered.direction.receives());
        assert!(!said.direction.receives() || offered.direction.sends());
        let numbers: Vec<u8> = offered.known().iter().map(|known| known.pt).collect();
        for known in said.known() {
            assert!(numbers.contains(&known.pt), "{known:?}");
        }
        for extension in &said.extensions {
            assert!(offered.extensions.contains(extension), "{extension:?}");
        }
        assert!(said.rids.is_empty(), "we announce no layers");
    }
}
