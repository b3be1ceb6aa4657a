//! Session descriptions: reading what a peer sends, writing what we say (RFC 8866, RFC 8829, RFC 9143).
//!
//! What it is: text to values and back, within the bounds of [`crate::limits`]. Reading takes one pass and borrows
//! from the text; of what it does not know it keeps nothing.
//! What it is not: no negotiation. What is agreed and what is said next is [`crate::negotiation`]'s.

pub(crate) mod candidate;
pub(crate) mod extension;
mod parse;
#[cfg(test)]
mod tests;
mod transport;
pub(crate) mod write;

use fermata_types::MediaKind;

use crate::error::SdpError;
use crate::formats::Format;
use crate::id::{Mid, Rid};
use crate::limits;
use crate::parts::{Credentials, Feedback, RemoteSsrc};
use crate::payload::Payloads;

pub(crate) use parse::parse;
pub(crate) use transport::{Setup, TransportText, fingerprint_text};

use extension::Extension;

/// Direction of a section from its writer's point of view (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    /// Also when nothing is said.
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(crate) fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn read(word: &str) -> Option<Self> {
        let all = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];
        all.into_iter().find(|direction| direction.name() == word)
    }
}

/// What a section is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    Track(MediaKind),
    Data,
    /// Nothing that we know: answered with a refusal.
    Other,
}

/// The words of an `m=` line that a refusal has to repeat (RFC 3264 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head<'t> {
    pub(crate) word: &'t str,
    pub(crate) proto: &'t str,
    /// The first format.
    pub(crate) format: &'t str,
}

/// What is said of one payload type of a section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PayloadText<'t> {
    pub(crate) pt: u8,
    map: Option<&'t str>,
    parameters: Option<&'t str>,
    feedback: Feedback,
}

/// A payload type whose format we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) pt: u8,
    /// The payload type of its retransmissions.
    pub(crate) rtx: Option<u8>,
    pub(crate) format: Format,
    pub(crate) feedback: Feedback,
}

/// One section of a peer's description.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of its own")]
pub(crate) struct Section<'t> {
    pub(crate) media: Media,
    pub(crate) head: Head<'t>,
    pub(crate) mid: Mid,
    pub(crate) direction: Direction,
    /// Port 0 and not bundled: switched off for good.
    pub(crate) rejected: bool,
    /// First token of the msid, or empty.
    pub(crate) stream_id: &'t str,
    /// Second token, or empty.
    pub(crate) track_id: &'t str,
    /// Layers that the peer sends, in its order.
    pub(crate) rids: Vec<Rid>,
    /// It says `a=simulcast:send`.
    pub(crate) simulcast: bool,
    pub(crate) extensions: Vec<(u8, Extension)>,
    /// Both forms of header extensions may be mixed, said here or of the whole session.
    pub(crate) mixed: bool,
    pub(crate) reduced_size: bool,
    pub(crate) sctp_port: Option<u16>,
    pub(crate) message_len_max: Option<usize>,
    payloads: Vec<PayloadText<'t>>,
    /// Feedback for all payload types.
    feedback: Feedback,
    ssrcs: Vec<u32>,
    /// Media and its retransmissions.
    pairs: Vec<(u32, u32)>,
    transport: TransportText<'t>,
    mid_text: Option<&'t str>,
    direction_said: bool,
    rid_lines: usize,
}

impl Section<'_> {
    /// Payload types whose formats we know, in the peer's order of preference (RFC 8866 section 5.14).
    pub(crate) fn known(&self) -> Vec<Known> {
        let reads = self.payloads.iter().filter_map(|payload| {
            let format = payload.format()?;
            Some(Known {
                pt: payload.pt,
                rtx: self.rtx_of(payload.pt),
                format,
                feedback: payload.feedback.or(self.feedback),
            })
        });
        let mut known: Vec<Known> = reads.collect();
        let opus = |pt: &str| {
            known.iter().any(|known| known.format == Format::Opus && pt == known.pt.to_string())
        };
        // Redundancy of something else, or of what is not here, is nothing to us.
        let redundant = |payload: &PayloadText<'_>| {
            payload.parameters.is_none_or(|parameters| parameters.split('/').all(opus))
        };
        let odd: Vec<u8> = self
            .payloads
            .iter()
            .filter(|payload| payload.format() == Some(Format::Red) && !redundant(payload))
            .map(|payload| payload.pt)
            .collect();
        let any_opus = known.iter().any(|known| known.format == Format::Opus);
        known.retain(|known| known.format != Format::Red || (any_opus && !odd.contains(&known.pt)));
        known
    }

    fn rtx_of(&self, pt: u8) -> Option<u8> {
        let repairs = |payload: &&PayloadText<'_>| {
            payload.map.is_some_and(|map| map.eq_ignore_ascii_case("rtx/90000"))
                && payload
                    .parameters
                    .and_then(|parameters| crate::formats::parameter(parameters, "apt"))
                    .is_some_and(|apt| apt.parse() == Ok(pt))
        };
        self.payloads.iter().find(repairs).map(|payload| payload.pt)
    }

    /// Streams announced by SSRC, each with its retransmissions. Not where layers are announced: there the
    /// order of SSRCs does not tell which is which.
    pub(crate) fn streams(&self) -> Vec<RemoteSsrc> {
        if !self.rids.is_empty() {
            return Vec::new();
        }
        let repairs = |ssrc: &u32| self.pairs.iter().any(|(_, rtx)| rtx == ssrc);
        let rtx_of = |ssrc: u32| self.pairs.iter().find(|(main, _)| *main == ssrc).map(|p| p.1);
        let media = self.ssrcs.iter().copied().filter(|ssrc| !repairs(ssrc));
        media.map(|ssrc| RemoteSsrc { ssrc, rtx: rtx_of(ssrc) }).collect()
    }
}

impl PayloadText<'_> {
    fn format(&self) -> Option<Format> {
        let map = match (self.map, self.pt) {
            (Some(map), _) => map,
            // RFC 3551 section 6.
            (None, 0) => "PCMU/8000",
            (None, 8) => "PCMA/8000",
            (None, _) => return None,
        };
        Format::read(map, self.parameters.unwrap_or_default())
    }
}

impl Feedback {
    /// Both, one by one.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            nack: self.nack && other.nack,
            pli: self.pli && other.pli,
            fir: self.fir && other.fir,
            transport_cc: self.transport_cc && other.transport_cc,
            remb: self.remb && other.remb,
        }
    }

    /// Either, one by one.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            nack: self.nack || other.nack,
            pli: self.pli || other.pli,
            fir: self.fir || other.fir,
            transport_cc: self.transport_cc || other.transport_cc,
            remb: self.remb || other.remb,
        }
    }
}

/// A peer's description within bounds.
#[derive(Debug, Default)]
pub(crate) struct Description<'t> {
    pub(crate) ice_lite: bool,
    /// It says `a=extmap-allow-mixed` of all sections.
    pub(crate) mixed: bool,
    /// Sections of the bundle, if there is a group (RFC 9143 section 7).
    pub(crate) bundle: Option<Vec<&'t str>>,
    pub(crate) sections: Vec<Section<'t>>,
    /// What its payload types stand for.
    pub(crate) payloads: Payloads,
    transport: TransportText<'t>,
    direction: Direction,
}

impl Description<'_> {
    /// Transport attributes count where they are said first: in a section of the bundle, else for the session.
    fn transports(&self) -> impl Iterator<Item = &TransportText<'_>> {
        let alive = self.sections.iter().filter(|section| !section.rejected);
        alive.map(|section| &section.transport).chain([&self.transport])
    }

    pub(crate) fn credentials(&self) -> Option<Credentials> {
        self.transports().find_map(TransportText::credentials)
    }

    /// SHA-256 of the peer's certificate.
    pub(crate) fn fingerprint(&self) -> Option<[u8; 32]> {
        self.transports().find_map(|transport| transport.sha256)
    }

    pub(crate) fn setup(&self) -> Option<Setup> {
        self.transports().find_map(|transport| transport.setup)
    }

    /// Does it bundle every section that is in use, and nothing else?
    ///
    /// # Errors
    /// Says what is not so.
    pub(crate) fn check_bundle(&self) -> Result<(), String> {
        let Some(bundle) = &self.bundle else { return Err("no BUNDLE group".to_owned()) };
        let bundled = |section: &Section<'_>| bundle.contains(&section.mid.as_str());
        if let Some(apart) = self.sections.iter().find(|s| !s.rejected && !bundled(s)) {
            return Err(format!("section {} is not in the BUNDLE group", apart.mid));
        }
        let known = |mid: &&&str| self.sections.iter().any(|section| section.mid.as_str() == **mid);
        match bundle.iter().find(|mid| !known(mid)) {
            Some(_) => Err("the BUNDLE group names a section that is not there".to_owned()),
            None => Ok(()),
        }
    }
}

/// `text` as an RFC 8830 msid token: other characters become `_`, what exceeds 64 characters is cut,
/// and an empty text becomes `_`. Keeps `|`, which separates participant and stream in this protocol.
pub fn sanitise_token(text: &str) -> String {
    // RFC 8830 section 2 with the token-char of RFC 8866.
    let is_token = |c: char| matches!(c, '!' | '#'..='\'' | '*' | '+' | '-' | '.' | '0'..='9' | 'A'..='Z' | '^'..='}');
    let mut token: String = text
        .chars()
        .take(limits::MSID_TOKEN_LEN_MAX)
        .map(|c| if is_token(c) { c } else { '_' })
        .collect();
    if token.is_empty() {
        token.push('_');
    }
    token
}

/// An error for a text that cannot be read.
fn malformed(detail: impl Into<String>) -> SdpError {
    SdpError::Malformed { detail: detail.into() }
}
