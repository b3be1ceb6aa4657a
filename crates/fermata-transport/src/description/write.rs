//! Writing our descriptions (RFC 8829 sections 5.2 and 5.3).
//!
//! Everything that libwebrtc and Firefox need is said in every section, as they do themselves; candidates stand
//! in the first section of the bundle, where its transport is.

use std::fmt::{Arguments, Write as _};

use fermata_rtp::Codec;
use fermata_types::MediaKind;

use crate::candidates::{HostCandidates, Protocol};
use crate::formats::Format;
use crate::id::{Mid, Rid};
use crate::parts::{Credentials, ExtensionIds};

use super::extension::Extension;
use super::{Direction, Known};

/// Our SCTP port (RFC 8841 section 5.2).
pub(crate) const SCTP_PORT: u16 = 5_000;

/// What holds for the whole description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionText<'a> {
    /// Number of the session, the same for ever.
    pub(crate) id: u64,
    /// Rises with every description.
    pub(crate) version: u64,
    pub(crate) credentials: &'a Credentials,
    /// The value of `a=fingerprint`.
    pub(crate) fingerprint: &'a str,
    /// `actpass`, `active` or `passive`.
    pub(crate) setup: &'static str,
    pub(crate) candidates: &'a HostCandidates,
    pub(crate) message_len_max: usize,
    /// Our canonical name in RTCP.
    pub(crate) cname: &'a str,
}

/// What goes out on a section.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) stream_id: &'a str,
    pub(crate) track_id: &'a str,
    pub(crate) ssrc: u32,
    pub(crate) rtx_ssrc: Option<u32>,
}

/// One audio or video section.
#[derive(Debug)]
pub(crate) struct TrackText<'a> {
    pub(crate) mid: Mid,
    pub(crate) kind: MediaKind,
    pub(crate) proto: &'a str,
    pub(crate) direction: Direction,
    /// In the order in which they are to be said.
    pub(crate) payloads: Vec<Known>,
    /// Opus parameters beyond those always said.
    pub(crate) opus: Vec<(&'static str, &'static str)>,
    pub(crate) extensions: ExtensionIds,
    pub(crate) reduced_size: bool,
    /// Layers we receive.
    pub(crate) rids: &'a [Rid],
    pub(crate) simulcast: bool,
    pub(crate) sent: Option<Sent<'a>>,
}

/// One section.
#[derive(Debug)]
pub(crate) enum SectionText<'a> {
    Track(TrackText<'a>),
    Data {
        mid: Mid,
        proto: &'a str,
    },
    /// Switched off: port 0, out of the bundle.
    Rejected {
        mid: Mid,
        word: &'a str,
        proto: &'a str,
        format: &'a str,
    },
}

impl SectionText<'_> {
    fn bundled(&self) -> Option<Mid> {
        match self {
            Self::Track(track) => Some(track.mid),
            Self::Data { mid, .. } => Some(*mid),
            Self::Rejected { .. } => None,
        }
    }
}

/// A text of lines.
struct Text(String);

impl Text {
    fn line(&mut self, line: Arguments<'_>) {
        // Writing to a text does not fail.
        let _ = self.0.write_fmt(line);
        self.0.push_str("\r\n");
    }
}

/// The description as text.
pub(crate) fn write(session: &SessionText<'_>, sections: &[SectionText<'_>]) -> String {
    let mut text = Text(String::with_capacity(512 + 2_048 * sections.len()));
    text.line(format_args!("v=0"));
    text.line(format_args!("o=- {} {} IN IP4 127.0.0.1", session.id, session.version));
    text.line(format_args!("s=-"));
    text.line(format_args!("t=0 0"));
    let bundled: Vec<Mid> = sections.iter().filter_map(SectionText::bundled).collect();
    let group: Vec<&str> = bundled.iter().map(Mid::as_str).collect();
    text.line(format_args!("a=group:BUNDLE {}", group.join(" ")));
    text.line(format_args!("a=extmap-allow-mixed"));
    text.line(format_args!("a=msid-semantic:WMS *"));
    text.line(format_args!("a=ice-lite"));
    for section in sections {
        let tagged = section.bundled().is_some() && section.bundled() == bundled.first().copied();
        match section {
            SectionText::Track(track) => write_track(&mut text, session, track, tagged),
            SectionText::Data { mid, proto } => {
                text.line(format_args!("m=application 9 {proto} webrtc-datachannel"));
                write_transport(&mut text, session, tagged);
                text.line(format_args!("a=mid:{mid}"));
                text.line(format_args!("a=sctp-port:{SCTP_PORT}"));
                text.line(format_args!("a=max-message-size:{}", session.message_len_max));
            }
            SectionText::Rejected { mid, word, proto, format } => {
                text.line(format_args!("m={word} 0 {proto} {format}"));
                text.line(format_args!("c=IN IP4 0.0.0.0"));
                text.line(format_args!("a=mid:{mid}"));
                text.line(format_args!("a=inactive"));
            }
        }
    }
    text.0
}

fn write_transport(text: &mut Text, session: &SessionText<'_>, tagged: bool) {
    text.line(format_args!("c=IN IP4 0.0.0.0"));
    if tagged {
        write_candidates(text, session.candidates);
    }
    text.line(format_args!("a=ice-ufrag:{}", session.credentials.ufrag));
    text.line(format_args!("a=ice-pwd:{}", session.credentials.pwd));
    text.line(format_args!("a=ice-options:trickle"));
    text.line(format_args!("a=fingerprint:{}", session.fingerprint));
    text.line(format_args!("a=setup:{}", session.setup));
}

/// RFC 8839 section 5.1, RFC 6544 section 4.5; one foundation for each address and protocol (RFC 8445 section 5.1.1.3).
fn write_candidates(text: &mut Text, candidates: &HostCandidates) {
    for (index, candidate) in candidates.iter().enumerate() {
        let (ip, port) = (candidate.address.ip(), candidate.address.port());
        let founded = candidates
            .iter()
            .position(|other| other.address.ip() == ip && other.protocol == candidate.protocol);
        let foundation = founded.unwrap_or(index) + 1;
        let priority = candidate.priority;
        let (protocol, end) = match candidate.protocol {
            Protocol::Udp => ("udp", ""),
            Protocol::Tcp => ("tcp", " tcptype passive"),
        };
        text.line(format_args!(
            "a=candidate:{foundation} 1 {protocol} {priority} {ip} {port} typ host{end}"
        ));
    }
    if !candidates.is_empty() {
        text.line(format_args!("a=end-of-candidates"));
    }
}

fn write_track(text: &mut Text, session: &SessionText<'_>, track: &TrackText<'_>, tagged: bool) {
    let word = match track.kind {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    let numbers = track.payloads.iter().flat_map(|payload| [Some(payload.pt), payload.rtx]);
    let numbers: Vec<String> = numbers.flatten().map(|pt| pt.to_string()).collect();
    text.line(format_args!("m={word} 9 {} {}", track.proto, numbers.join(" ")));
    write_transport(text, session, tagged);
    text.line(format_args!("a=mid:{}", track.mid));
    for extension in Extension::ALL {
        if let Some(id) = extension.id_in(&track.extensions) {
            text.line(format_args!("a=extmap:{id} {}", extension.uri()));
        }
    }
    text.line(format_args!("a={}", track.direction.name()));
    if let Some(sent) = &track.sent {
        text.line(format_args!("a=msid:{} {}", sent.stream_id, sent.track_id));
    }
    text.line(format_args!("a=rtcp-mux"));
    if track.reduced_size {
        text.line(format_args!("a=rtcp-rsize"));
    }
    for payload in &track.payloads {
        write_payload(text, track, payload);
    }
    for rid in track.rids {
        text.line(format_args!("a=rid:{rid} recv"));
    }
    if track.simulcast && !track.rids.is_empty() {
        let rids: Vec<&str> = track.rids.iter().map(Rid::as_str).collect();
        text.line(format_args!("a=simulcast:recv {}", rids.join(";")));
    }
    if let Some(sent) = &track.sent {
        write_streams(text, session, sent);
    }
}

fn write_payload(text: &mut Text, track: &TrackText<'_>, payload: &Known) {
    let Known { pt, format, feedback, rtx } = *payload;
    text.line(format_args!("a=rtpmap:{pt} {}", format.map()));
    // Told by us alone: browsers that are offered it tell their time with each report on audio (RFC 3611 section
    // 4.4), and learn their round trip by the answer even if they send nothing.
    let answers_times = format == Format::Opus && track.sent.is_some();
    for (said, words) in [
        (answers_times, "rrtr"),
        (feedback.transport_cc, "transport-cc"),
        (feedback.remb, "goog-remb"),
        (feedback.fir, "ccm fir"),
        (feedback.nack, "nack"),
        (feedback.pli, "nack pli"),
    ] {
        if said {
            text.line(format_args!("a=rtcp-fb:{pt} {words}"));
        }
    }
    if let Some(mut parameters) = format.parameters() {
        if format.codec() == Codec::Opus {
            for (name, value) in &track.opus {
                let _ = write!(parameters, ";{name}={value}");
            }
        }
        text.line(format_args!("a=fmtp:{pt} {parameters}"));
    }
    if format == Format::Red {
        let opus = track.payloads.iter().find(|payload| payload.format == Format::Opus);
        if let Some(Known { pt: opus, .. }) = opus {
            text.line(format_args!("a=fmtp:{pt} {opus}/{opus}"));
        }
    }
    if let Some(rtx) = rtx {
        text.line(format_args!("a=rtpmap:{rtx} rtx/90000"));
        text.line(format_args!("a=fmtp:{rtx} apt={pt}"));
    }
}

fn write_streams(text: &mut Text, session: &SessionText<'_>, sent: &Sent<'_>) {
    for ssrc in [Some(sent.ssrc), sent.rtx_ssrc].into_iter().flatten() {
        text.line(format_args!("a=ssrc:{ssrc} cname:{}", session.cname));
        text.line(format_args!("a=ssrc:{ssrc} msid:{} {}", sent.stream_id, sent.track_id));
    }
    if let Some(rtx) = sent.rtx_ssrc {
        text.line(format_args!("a=ssrc-group:FID {} {rtx}", sent.ssrc));
    }
}
