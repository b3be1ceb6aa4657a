//! SDP as text: reading what the engine does not tell, and rewriting what it cannot say.
//!
//! Not a parser of SDP: the engine is. This reads the few attributes that bind sections to tracks,
//! checks the bounds before the engine sees the text, and edits lines of the engine's own output.

use fermata_rtp::Codec;
use fermata_types::MediaKind;

use crate::error::SdpError;
use crate::id::{Mid, Rid};
use crate::limits;
use crate::payload::Payloads;

/// Direction of a section from the writer's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    /// Also when nothing is said, as the engine reads it.
    #[default]
    Inactive,
}

/// What one section of a peer's SDP says, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Section {
    /// `None` for data channels.
    pub(crate) kind: Option<MediaKind>,
    pub(crate) mid: String,
    pub(crate) direction: Direction,
    pub(crate) stream_id: String,
    pub(crate) track_id: String,
    pub(crate) rids: Vec<Rid>,
    /// Payload types of the `m=` line, the preferred one first (RFC 8866 section 5.14).
    pub(crate) payload_types: Vec<u8>,
    /// Codecs we know among them, each with its payload type.
    pub(crate) codecs: Vec<(u8, Codec)>,
    /// Port 0 and not bundled: switched off for good.
    pub(crate) rejected: bool,
}

/// A peer's SDP within bounds.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// The same text without candidates, with every line ended by CRLF, as the engine reads it.
    pub(crate) text: String,
    pub(crate) sections: Vec<Section>,
    pub(crate) payloads: Payloads,
}

/// Checks the bounds and reads the sections.
pub(crate) fn scan(text: &str) -> Result<Scanned, SdpError> {
    if text.len() > limits::SDP_LEN_MAX {
        return Err(SdpError::TooLong { len: text.len() });
    }
    let mut scanned = Scanned::default();
    let mut bundle = Vec::new();
    let mut ssrc_lines = 0;
    let mut payloads = Payloads::default();
    scanned.text.reserve(text.len() + 2);
    for line in text.lines() {
        // What the engine might take for the end of a line, we must too.
        if line.contains('\r') {
            return Err(SdpError::Malformed { detail: "line end".to_owned() });
        }
        // We are ICE-lite: the peer's checks tell its addresses (RFC 8445 section 2.5). Clients repeat every
        // candidate under every section, so lists in SDP would only fill the bound on candidates.
        if line.starts_with("a=candidate:") {
            continue;
        }
        push(&mut scanned.text, line);
        if let Some(media) = line.strip_prefix("m=") {
            if scanned.sections.len() >= limits::SDP_SECTIONS_MAX {
                return Err(SdpError::TooManySections);
            }
            scanned.sections.push(section(media));
            scanned.payloads.media(&mut payloads, media)?;
            continue;
        }
        let Some(attribute) = line.strip_prefix("a=") else { continue };
        if attribute.starts_with("ssrc:") {
            ssrc_lines += 1;
        }
        match scanned.sections.last_mut() {
            None => {
                if let Some(mids) = attribute.strip_prefix("group:BUNDLE") {
                    bundle = mids.split_ascii_whitespace().collect();
                }
            }
            Some(section) => {
                payloads.attribute(attribute)?;
                read_attribute(section, attribute)?;
            }
        }
    }
    scanned.payloads.take(&mut payloads)?;
    if ssrc_lines > limits::SDP_SSRC_LINES_MAX {
        return Err(SdpError::TooManyStreams);
    }
    check_mids(&scanned.sections)?;
    for section in &mut scanned.sections {
        // Port 0 within the bundle only means that another section carries the transport (RFC 8843).
        section.rejected &= !bundle.contains(&section.mid.as_str());
    }
    Ok(scanned)
}

fn section(media: &str) -> Section {
    let mut words = media.split_ascii_whitespace();
    let kind = match words.next() {
        Some("audio") => Some(MediaKind::Audio),
        Some("video") => Some(MediaKind::Video),
        _ => None,
    };
    let rejected = words.next() == Some("0");
    // Seven bits each, so that more than 128 are repetitions.
    let payload_types = words.skip(1).take(128).filter_map(|word| word.parse().ok()).collect();
    Section { kind, payload_types, rejected, ..Section::default() }
}

impl Section {
    /// The place of a codec in the peer's order of preference; codecs it did not name come last.
    pub(crate) fn rank(&self, codec: Codec) -> usize {
        let named = self.codecs.iter().filter(|(_, named)| *named == codec);
        let places = named.filter_map(|(pt, _)| self.payload_types.iter().position(|p| p == pt));
        places.min().unwrap_or(usize::MAX)
    }
}

/// The payload type and codec of an `a=rtpmap` value.
fn codec_of(map: &str) -> Option<(u8, Codec)> {
    let (pt, name) = map.split_once(' ')?;
    let name = name.split('/').next()?;
    Some((pt.parse().ok()?, Codec::from_mime(name.trim())?))
}

fn read_attribute(section: &mut Section, attribute: &str) -> Result<(), SdpError> {
    match attribute.trim_end() {
        "sendrecv" => section.direction = Direction::SendRecv,
        "sendonly" => section.direction = Direction::SendOnly,
        "recvonly" => section.direction = Direction::RecvOnly,
        "inactive" => section.direction = Direction::Inactive,
        other => {
            if let Some(mid) = other.strip_prefix("mid:") {
                mid.trim().clone_into(&mut section.mid);
            } else if let Some(msid) = other.strip_prefix("msid:") {
                let mut words = msid.split_ascii_whitespace();
                words.next().unwrap_or_default().clone_into(&mut section.stream_id);
                words.next().unwrap_or_default().clone_into(&mut section.track_id);
            } else if let Some(rid) = other.strip_prefix("rid:") {
                return read_rid(section, rid);
            } else if let Some(map) = other.strip_prefix("rtpmap:")
                && section.codecs.len() < section.payload_types.len()
            {
                section.codecs.extend(codec_of(map));
            }
        }
    }
    Ok(())
}

fn read_rid(section: &mut Section, rid: &str) -> Result<(), SdpError> {
    let mut words = rid.split_ascii_whitespace();
    if let (Some(name), Some("send")) = (words.next(), words.next())
        && Rid::is_exact(name)
    {
        if section.rids.len() >= limits::SDP_RIDS_MAX {
            return Err(SdpError::TooManyStreams);
        }
        section.rids.push(Rid::from(name));
    }
    Ok(())
}

/// Names must survive the engine, which cuts and replaces characters, and be distinct afterwards.
fn check_mids(sections: &[Section]) -> Result<(), SdpError> {
    let mut seen = std::collections::HashSet::with_capacity(sections.len());
    for (index, section) in sections.iter().enumerate() {
        if !Mid::is_exact(&section.mid) || !seen.insert(section.mid.as_str()) {
            return Err(SdpError::Mid { index });
        }
    }
    Ok(())
}

/// What to make of one of our own sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Leave the direction and drop nothing.
    Keep,
    /// We send nothing here: no direction to send, no msid, no SSRC.
    Blank,
    /// We send this track here.
    Fill {
        /// First token of the msid.
        stream_id: String,
        /// Second token.
        track_id: String,
    },
}

/// Changes to the Opus format parameters of one section: (name, value or nothing to remove it).
pub(crate) type Fmtp = Vec<(&'static str, Option<&'static str>)>;

/// Rewrites the engine's SDP, asking for each section by its `a=mid`.
pub(crate) fn rewrite(text: &str, mut edit: impl FnMut(Mid) -> (Edit, Fmtp)) -> String {
    let mut out = String::with_capacity(text.len() + 256);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next_if(|line| !line.starts_with("m=")) {
        let line =
            if line.starts_with("a=msid-semantic:") { "a=msid-semantic:WMS *" } else { line };
        push(&mut out, line);
    }
    while let Some(first) = lines.next() {
        let mut section = vec![first];
        while let Some(line) = lines.next_if(|line| !line.starts_with("m=")) {
            section.push(line);
        }
        let mid = section.iter().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default();
        let (edit, fmtp) = edit(Mid::from(mid));
        rewrite_section(&mut out, &section, &edit, &fmtp);
    }
    out
}

fn rewrite_section(out: &mut String, section: &[&str], edit: &Edit, fmtp: &Fmtp) {
    let opus = section.iter().find_map(|line| {
        let (pt, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        name.get(..5).is_some_and(|name| name.eq_ignore_ascii_case("opus/")).then_some(pt)
    });
    for line in section {
        if let (Some(pt), false) = (opus, fmtp.is_empty())
            && let Some((line_pt, values)) =
                line.strip_prefix("a=fmtp:").and_then(|rest| rest.split_once(' '))
            && line_pt == pt
        {
            push(out, &format!("a=fmtp:{pt} {}", edit_fmtp(values, fmtp)));
            continue;
        }
        if let Some(line) = edit_line(line, edit) {
            push(out, &line);
        }
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push_str("\r\n");
}

fn edit_line<'a>(line: &'a str, edit: &Edit) -> Option<std::borrow::Cow<'a, str>> {
    match edit {
        Edit::Keep => {}
        Edit::Blank => {
            let dropped = ["a=msid:", "a=ssrc:", "a=ssrc-group:"];
            if dropped.iter().any(|prefix| line.starts_with(prefix)) {
                return None;
            }
            match line {
                "a=sendonly" => return Some("a=inactive".into()),
                "a=sendrecv" => return Some("a=recvonly".into()),
                _ => {}
            }
        }
        Edit::Fill { stream_id, track_id } => {
            if line.starts_with("a=msid:") {
                return Some(format!("a=msid:{stream_id} {track_id}").into());
            }
            if line.starts_with("a=ssrc:")
                && let Some((ssrc, _)) = line.split_once(" msid:")
            {
                return Some(format!("{ssrc} msid:{stream_id} {track_id}").into());
            }
        }
    }
    Some(line.into())
}

fn edit_fmtp(values: &str, changes: &Fmtp) -> String {
    let name = |value: &str| value.split('=').next().unwrap_or_default().trim().to_owned();
    let mut kept: Vec<String> = values
        .split(';')
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .filter(|value| changes.iter().all(|(change, _)| *change != name(value)))
        .map(str::to_owned)
        .collect();
    let set =
        changes.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}")));
    kept.extend(set);
    kept.join(";")
}

/// `text` as an RFC 8830 msid token: other characters become `_`, what exceeds 64 characters is cut,
/// and an empty text becomes `_`. Keeps `|`, which separates participant and stream in this protocol.
pub fn sanitise_token(text: &str) -> String {
    // RFC 8830 section 2 with the token-char of RFC 4566, less `~` and DEL at the engine's upper end.
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

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=recvonly\r\na=mid:1\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\na=msid:s cid-7\r\na=sendonly\r\n\
        a=rid:q send\r\na=rid:h send\r\na=rid:x recv\r\n\
        m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:gone\r\na=inactive\r\n";

    #[test]
    fn reads_what_binds_sections_to_tracks() {
        let sections = scan(OFFER).unwrap().sections;
        assert_eq!(sections.len(), 4);
        assert_eq!((sections[0].kind, sections[0].mid.as_str()), (None, "0"));
        assert_eq!(sections[1].direction, Direction::RecvOnly);
        assert_eq!(sections[2].track_id, "cid-7");
        assert_eq!(sections[2].stream_id, "s");
        assert_eq!(sections[2].rids, [Rid::from("q"), Rid::from("h")]);
        assert!(!sections[2].rejected, "bundled");
        assert!(sections[3].rejected);
    }

    #[test]
    fn bounds_are_checked_before_anything_is_built() {
        let section = |index: usize| format!("m=audio 9 X 0\r\na=mid:{index}\r\n");
        let many = |count: usize| (0..count).map(section).collect::<String>();
        assert!(scan(&many(limits::SDP_SECTIONS_MAX)).is_ok());
        let ssrc = |count: usize| many(1) + &"a=ssrc:1 cname:x\r\n".repeat(count);
        assert!(scan(&ssrc(limits::SDP_SSRC_LINES_MAX)).is_ok());
        let rids = |count: usize| many(1) + &"a=rid:q send\r\n".repeat(count);
        assert!(scan(&rids(limits::SDP_RIDS_MAX)).is_ok());
        let candidates = many(1) + &"a=candidate:1\r\n".repeat(5_000);
        assert_eq!(scan(&candidates).map(|scanned| scanned.text), Ok(many(1)));
        for (text, error) in [
            (
                "x".repeat(limits::SDP_LEN_MAX + 1),
                SdpError::TooLong { len: limits::SDP_LEN_MAX + 1 },
            ),
            (many(limits::SDP_SECTIONS_MAX + 1), SdpError::TooManySections),
            (ssrc(limits::SDP_SSRC_LINES_MAX + 1), SdpError::TooManyStreams),
            (rids(limits::SDP_RIDS_MAX + 1), SdpError::TooManyStreams),
            (many(2) + &section(1), SdpError::Mid { index: 2 }),
            ("m=audio 9 X 0\r\n".to_owned(), SdpError::Mid { index: 0 }),
            ("m=audio 9 X 0\r\na=mid:a-b\r\n".to_owned(), SdpError::Mid { index: 0 }),
        ] {
            assert_eq!(scan(&text).map(|scanned| scanned.sections.len()), Err(error));
        }
    }

    const ANSWER: &str = "v=0\r\na=msid-semantic: WMS abc\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:1\r\na=sendonly\r\na=msid:x y\r\n\
        a=rtpmap:109 opus/48000/2\r\na=fmtp:109 minptime=10;useinbandfec=1\r\n\
        a=ssrc:7 cname:c\r\na=ssrc:7 msid:x y\r\na=ssrc-group:FID 7 8\r\n";

    #[test]
    fn a_free_placeholder_says_nothing_of_media() {
        let text = rewrite(ANSWER, |mid| {
            assert_eq!(mid.as_str(), "1");
            (Edit::Blank, Vec::new())
        });
        assert!(text.contains("a=inactive\r\n"));
        for gone in ["sendonly", "a=msid:", "ssrc"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        assert!(text.contains("a=fmtp:109 minptime=10;useinbandfec=1\r\n"));
    }

    #[test]
    fn a_filled_placeholder_names_the_track_and_keeps_the_ssrc() {
        let text = rewrite(ANSWER, |_| {
            let edit = Edit::Fill { stream_id: "PA_1|camera".into(), track_id: "TR_2".into() };
            (edit, vec![("usedtx", Some("1")), ("minptime", None)])
        });
        assert_eq!(
            text,
            "v=0\r\na=msid-semantic:WMS *\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:1\r\na=sendonly\r\na=msid:PA_1|camera TR_2\r\n\
            a=rtpmap:109 opus/48000/2\r\na=fmtp:109 useinbandfec=1;usedtx=1\r\n\
            a=ssrc:7 cname:c\r\na=ssrc:7 msid:PA_1|camera TR_2\r\na=ssrc-group:FID 7 8\r\n"
        );
    }

    #[test]
    fn tokens_are_clean() {
        for (text, token) in [
            ("PA_1|camera", "PA_1|camera"),
            ("my stream/ü:1", "my_stream___1"),
            ("", "_"),
            ("a\r\nb", "a__b"),
        ] {
            assert_eq!(sanitise_token(text), token);
        }
        assert_eq!(sanitise_token(&"x".repeat(99)).len(), limits::MSID_TOKEN_LEN_MAX);
    }
}
