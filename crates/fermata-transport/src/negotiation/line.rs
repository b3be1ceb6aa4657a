//! One section as it is negotiated over the life of a connection.

use fermata_rtp::Codec;
use fermata_types::MediaKind;

use crate::description::extension::{Extension, Ways};
use crate::description::write::{SectionText, Sent, TrackText};
use crate::description::{Direction, Known, Media, Section};
use crate::formats::{Format, OURS};
use crate::id::Mid;
use crate::parts::{ExtensionIds, Feedback, LineConfig, Payload};

use super::AudioTuning;

/// Transport of media in our own offers (RFC 8829 section 5.1.2).
const MEDIA_PROTO: &str = "UDP/TLS/RTP/SAVPF";
/// Transport of data channels in our own offers (RFC 8841 section 4).
const DATA_PROTO: &str = "UDP/DTLS/SCTP";

/// What we can take and give by way of feedback.
fn our_feedback(kind: MediaKind) -> Feedback {
    let video = kind == MediaKind::Video;
    Feedback { nack: video, pli: video, fir: video, transport_cc: true, remb: video }
}

/// The tokens of an msid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) stream_id: String,
    pub(super) track_id: String,
}

/// One section.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) media: Media,
    /// Words of its m-line.
    word: String,
    proto: String,
    format: String,
    /// What the peer last said.
    pub(super) peer: Direction,
    /// What was agreed, in the peer's order, but redundant audio first. Empty before an answer.
    agreed: Vec<Known>,
    simulcast: bool,
    reduced_size: bool,
    pub(super) tuning: AudioTuning,
    /// In which the peer is to send.
    pub(super) preferred: Option<Codec>,
    /// The track that goes out here, by the last description we wrote.
    pub(super) label: Option<Label>,
    /// Track token with which the section was first offered; the client's track object keeps it.
    pub(super) born: Option<String>,
    /// What the rest of the connection is told.
    pub(super) config: LineConfig,
}

impl Line {
    fn new(mid: Mid, media: Media, words: [&str; 3]) -> Self {
        let kind = match media {
            Media::Track(kind) => kind,
            Media::Data | Media::Other => MediaKind::Audio,
        };
        let [word, proto, format] = words.map(str::to_owned);
        Self {
            media,
            word,
            proto,
            format,
            peer: Direction::Inactive,
            agreed: Vec::new(),
            simulcast: false,
            reduced_size: true,
            tuning: AudioTuning::default(),
            preferred: None,
            label: None,
            born: None,
            config: LineConfig {
                mid,
                kind,
                sending: false,
                receiving: false,
                rejected: false,
                payloads: Vec::new(),
                extensions: ExtensionIds::default(),
                mixed: false,
                feedback: Feedback::default(),
                rids: Vec::new(),
                remote_ssrcs: Vec::new(),
                local_ssrc: None,
                local_rtx_ssrc: None,
            },
        }
    }

    /// A section that the peer offers.
    pub(super) fn offered(section: &Section<'_>) -> Self {
        let head = section.head;
        Self::new(section.mid, section.media, [head.word, head.proto, head.format])
    }

    /// The words of its m-line, which an answer repeats, may be others in another offer.
    pub(super) fn reword(&mut self, section: &Section<'_>) {
        section.head.proto.clone_into(&mut self.proto);
        section.head.format.clone_into(&mut self.format);
    }

    /// A section that we offer for a track.
    pub(super) fn for_track(mid: Mid, kind: MediaKind) -> Self {
        let (word, format) = match kind {
            MediaKind::Audio => ("audio", "111"),
            MediaKind::Video => ("video", "96"),
        };
        Self::new(mid, Media::Track(kind), [word, MEDIA_PROTO, format])
    }

    /// The section for data channels that we offer.
    pub(super) fn for_data(mid: Mid) -> Self {
        Self::new(mid, Media::Data, ["application", DATA_PROTO, "webrtc-datachannel"])
    }

    pub(super) fn mid(&self) -> Mid {
        self.config.mid
    }

    pub(super) fn rejected(&self) -> bool {
        self.config.rejected
    }

    /// Its kind, if it is for a track.
    pub(super) fn kind(&self) -> Option<MediaKind> {
        match self.media {
            Media::Track(kind) => Some(kind),
            Media::Data | Media::Other => None,
        }
    }

    /// Is `section` the same one as before?
    pub(super) fn is(&self, section: &Section<'_>) -> bool {
        self.config.mid == section.mid && self.media == section.media
    }

    /// Switches it off for good.
    pub(super) fn reject(&mut self) {
        self.peer = Direction::Inactive;
        self.label = None;
        self.agreed.clear();
        let config = &mut self.config;
        config.rejected = true;
        config.payloads.clear();
        config.rids.clear();
        config.remote_ssrcs.clear();
        config.feedback = Feedback::default();
        config.extensions = ExtensionIds::default();
    }

    /// Takes over what the peer says of it. `ids` are the extension ids of the whole connection: the first
    /// meaning of a number stays.
    pub(super) fn take(&mut self, section: &Section<'_>, ids: &mut ExtensionIds) {
        if self.config.rejected {
            return;
        }
        let Some(kind) = self.kind() else {
            if section.rejected || self.media == Media::Other {
                self.reject();
            }
            return;
        };
        let direction = section.direction;
        let ways = Ways { sending: direction.receives(), receiving: direction.sends() };
        // Whichever way it goes now: what is not agreed today is missing when the client sends several layers on
        // it tomorrow, and then its next offer is one that it cannot take itself.
        let both = Ways { sending: true, receiving: true };
        let mut extensions = ExtensionIds::default();
        for (id, extension) in section.extensions.iter().copied() {
            let known = extension.id_in(ids);
            if known.is_none() && Extension::by_id(ids, id).is_none() {
                extension.set_in(ids, id);
            }
            if extension.id_in(ids) == Some(id) && extension.serves(kind, both) {
                extension.set_in(&mut extensions, id);
            }
        }
        let mut feedback = our_feedback(kind);
        feedback.transport_cc &= extensions.transport_cc.is_some();
        let mut agreed = section.known();
        agreed.retain(|known| known.format.kind() == kind && known.format.rank().is_some());
        for known in &mut agreed {
            known.feedback = known.feedback.and(feedback);
        }
        if section.rejected || agreed.is_empty() {
            self.reject();
            return;
        }
        self.peer = direction;
        self.simulcast = section.simulcast;
        self.reduced_size = section.reduced_size;
        let config = &mut self.config;
        config.extensions = extensions;
        config.mixed = section.mixed;
        config.feedback =
            agreed.iter().fold(Feedback::default(), |all, known| all.or(known.feedback));
        config.payloads = by_rank(&agreed)
            .map(|known| Payload { codec: known.format.codec(), pt: known.pt, rtx: known.rtx })
            .collect();
        config.rids = if ways.receiving { section.rids.clone() } else { Vec::new() };
        config.remote_ssrcs = if ways.receiving { section.streams() } else { Vec::new() };
        self.agreed = agreed;
        // libwebrtc uses redundant audio only if it stands before Opus.
        self.agreed.sort_by_key(|known| known.format != Format::Red);
    }

    /// Which SSRCs it lacks to send with: its own, that of its retransmissions.
    pub(super) fn lacks_ssrcs(&self) -> (bool, bool) {
        let with_rtx = self.payloads().iter().any(|payload| payload.rtx.is_some());
        let config = &self.config;
        (config.local_ssrc.is_none(), with_rtx && config.local_rtx_ssrc.is_none())
    }

    /// Does one of our own or of the peer's streams here have this SSRC?
    pub(super) fn has_ssrc(&self, ssrc: u32) -> bool {
        let config = &self.config;
        let ours = [config.local_ssrc, config.local_rtx_ssrc];
        ours.contains(&Some(ssrc))
            || config.remote_ssrcs.iter().any(|s| s.ssrc == ssrc || s.rtx == Some(ssrc))
    }

    /// What we would offer here: what was agreed once, else everything.
    fn payloads(&self) -> Vec<Known> {
        if !self.agreed.is_empty() {
            return by_rank(&self.agreed).copied().collect();
        }
        let Some(kind) = self.kind() else { return Vec::new() };
        let feedback = our_feedback(kind);
        let ours = OURS.iter().filter(|ours| ours.format.kind() == kind);
        ours.map(|ours| Known { pt: ours.pt, rtx: ours.rtx, format: ours.format, feedback })
            .collect()
    }

    /// The section in our offer; `stream_id` instead of the label's.
    pub(super) fn in_offer<'a>(&'a self, stream_id: &'a str) -> SectionText<'a> {
        let mut extensions = ExtensionIds::default();
        let ways = Ways { sending: true, receiving: false };
        for extension in Extension::ALL {
            if extension.serves(self.config.kind, ways) {
                extension.set_in(&mut extensions, extension.our_id());
            }
        }
        let direction = Direction::new(self.label.is_some(), false);
        let stereo = self.tuning.stereo.then_some(("sprop-stereo", "1"));
        self.text(direction, self.payloads(), stereo.into_iter().collect(), extensions, stream_id)
    }

    /// The section in our answer.
    pub(super) fn in_answer(&self) -> SectionText<'_> {
        let sends = self.label.is_some() && self.peer.receives();
        let direction = Direction::new(sends, self.peer.sends());
        let opus = if self.peer.sends() { self.tuning.for_answer() } else { Vec::new() };
        let stream_id = self.label.as_ref().map_or("", |label| label.stream_id.as_str());
        let mut agreed = self.agreed.clone();
        if let Some(preferred) = self.preferred {
            // Who offered sends in the first codec of the answer.
            agreed.sort_by_key(|known| known.format.codec() != preferred);
        }
        let mut extensions = self.config.extensions;
        let first = agreed.first().map(|known| known.format.codec());
        if first == Some(Codec::Vp8) && self.peer.sends() {
            // With it clients leave picture and layer numbers out of VP8's own descriptor, which is all that tells
            // which pictures can be left out.
            extensions.dependency = None;
        }
        self.text(direction, agreed, opus, extensions, stream_id)
    }

    fn text<'a>(
        &'a self,
        direction: Direction,
        payloads: Vec<Known>,
        opus: Vec<(&'static str, &'static str)>,
        extensions: ExtensionIds,
        stream_id: &'a str,
    ) -> SectionText<'a> {
        let mid = self.mid();
        let (word, proto, format) = (&*self.word, &*self.proto, &*self.format);
        match self.media {
            Media::Track(kind) if !self.rejected() => {
                let label = self.label.as_ref().filter(|_| direction.sends());
                let sent = label.zip(self.config.local_ssrc).map(|(label, ssrc)| Sent {
                    stream_id,
                    track_id: &label.track_id,
                    ssrc,
                    rtx_ssrc: self
                        .config
                        .local_rtx_ssrc
                        .filter(|_| payloads.iter().any(|payload| payload.rtx.is_some())),
                });
                SectionText::Track(TrackText {
                    mid,
                    kind,
                    proto,
                    direction,
                    payloads,
                    opus,
                    extensions,
                    reduced_size: self.reduced_size,
                    rids: &self.config.rids,
                    simulcast: self.simulcast,
                    sent,
                })
            }
            Media::Data if !self.rejected() => SectionText::Data { mid, proto },
            _ => SectionText::Rejected { mid, word, proto, format },
        }
    }
}

/// In our order of preference.
fn by_rank(payloads: &[Known]) -> impl Iterator<Item = &Known> {
    let mut sorted: Vec<&Known> = payloads.iter().collect();
    sorted.sort_by_key(|known| known.format.rank());
    sorted.into_iter()
}
