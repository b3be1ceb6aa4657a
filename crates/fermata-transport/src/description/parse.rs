//! Reading a peer's description, line by line.

use std::collections::HashSet;

use fermata_types::MediaKind;

use crate::error::SdpError;
use crate::id::{Mid, Rid};
use crate::limits;
use crate::parts::Feedback;
use crate::payload::Payloads;

use super::extension::Extension;
use super::{Description, Direction, Head, Media, PayloadText, Section, TransportText, malformed};

/// Payload types are seven bits.
const PAYLOAD_TYPES: u8 = 128;

/// Most header extensions read of one section: there are no more ids in the one-byte form.
const EXTENSIONS_MAX: usize = 14;

/// Reads a description.
///
/// # Errors
/// See [`SdpError`]: what is out of bounds, malformed, or uses a name or payload type twice.
pub(crate) fn parse(text: &str) -> Result<Description<'_>, SdpError> {
    if text.len() > limits::SDP_LEN_MAX {
        return Err(SdpError::TooLong { len: text.len() });
    }
    let mut reader = Reader::default();
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("v=0") {
        return Err(malformed("does not begin with v=0"));
    }
    for line in lines {
        reader.line(line)?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader<'t> {
    description: Description<'t>,
    /// Payload types of the section being read.
    payloads: Payloads,
    ssrc_lines: usize,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: &'t str) -> Result<(), SdpError> {
        // Others might take it for the end of a line.
        if line.contains('\r') {
            return Err(malformed("line end"));
        }
        let line = line.trim_end();
        let Some((kind, value)) = line.split_at_checked(2) else {
            return if line.is_empty() { Ok(()) } else { Err(malformed("line without a type")) };
        };
        match kind.as_bytes() {
            b"m=" => self.media(value),
            b"a=" => self.attribute(value),
            [b'a'..=b'z', b'='] => Ok(()),
            _ => Err(malformed("line without a type")),
        }
    }

    fn media(&mut self, value: &'t str) -> Result<(), SdpError> {
        let description = &mut self.description;
        if description.sections.len() >= limits::SDP_SECTIONS_MAX {
            return Err(SdpError::TooManySections);
        }
        description.sections.push(section(value, description.direction)?);
        description.payloads.media(&mut self.payloads, value)
    }

    fn attribute(&mut self, attribute: &'t str) -> Result<(), SdpError> {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        let value = value.trim();
        if name == "ssrc" {
            self.ssrc_lines += 1;
            if self.ssrc_lines > limits::SDP_SSRC_LINES_MAX {
                return Err(SdpError::TooManyStreams);
            }
        }
        let Some(section) = self.description.sections.last_mut() else {
            return self.description.session_attribute(name, value);
        };
        self.payloads.attribute(attribute)?;
        if !section.transport.read(name, value)? {
            section.attribute(name, value)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Description<'t>, SdpError> {
        let description = &mut self.description;
        description.payloads.take(&mut self.payloads)?;
        let bundle: HashSet<&str> = description.bundle.iter().flatten().copied().collect();
        let mixed = description.mixed;
        let mut seen = HashSet::with_capacity(description.sections.len());
        for (index, section) in description.sections.iter_mut().enumerate() {
            let mid = section.mid_text.filter(|mid| Mid::is_exact(mid) && seen.insert(*mid));
            let mid = mid.ok_or(SdpError::Mid { index })?;
            section.mid = Mid::from(mid);
            section.mixed |= mixed;
            // Port 0 within the bundle only means that another section carries the transport (RFC 9143).
            section.rejected &= !bundle.contains(mid);
            if matches!(section.media, Media::Track(_)) && !section.head.proto.contains("RTP/") {
                section.media = Media::Other;
            }
        }
        Ok(self.description)
    }
}

impl<'t> Description<'t> {
    fn session_attribute(&mut self, name: &str, value: &'t str) -> Result<(), SdpError> {
        if self.transport.read(name, value)? {
            return Ok(());
        }
        match name {
            "ice-lite" => self.ice_lite = true,
            "extmap-allow-mixed" => self.mixed = true,
            "group" => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some("BUNDLE") && self.bundle.is_none() {
                    // More names than sections are none of ours.
                    let mids = words.take(limits::SDP_SECTIONS_MAX + 1);
                    self.bundle = Some(mids.collect());
                }
            }
            word => self.direction = Direction::read(word).unwrap_or(self.direction),
        }
        Ok(())
    }
}

/// Reads the value of an `m=` line.
fn section(value: &str, direction: Direction) -> Result<Section<'_>, SdpError> {
    let mut words = value.split_ascii_whitespace();
    let (Some(word), Some(port), Some(proto)) = (words.next(), words.next(), words.next()) else {
        return Err(malformed("m-line of less than three words"));
    };
    // Its words go back in an answer.
    if !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Err(malformed("m-line of other than visible ASCII"));
    }
    // The number of ports may follow (RFC 8866 section 5.14).
    let port = port.split_once('/').map_or(port, |(port, _)| port);
    let port: u16 = port.parse().map_err(|_| malformed("port"))?;
    let media = match word {
        "audio" => Media::Track(MediaKind::Audio),
        "video" => Media::Track(MediaKind::Video),
        "application" if proto.contains("DTLS/SCTP") => Media::Data,
        _ => Media::Other,
    };
    let format = words.clone().next().unwrap_or("0");
    let mut payloads: Vec<PayloadText<'_>> = Vec::new();
    if matches!(media, Media::Track(_)) {
        let mut seen = [false; PAYLOAD_TYPES as usize];
        for word in words {
            let pt = word.parse::<u8>().ok();
            let Some((pt, seen)) = pt.and_then(|pt| Some((pt, seen.get_mut(usize::from(pt))?)))
            else {
                return Err(malformed("payload type"));
            };
            if !std::mem::replace(seen, true) {
                payloads.push(PayloadText {
                    pt,
                    map: None,
                    parameters: None,
                    feedback: Feedback::default(),
                });
            }
        }
    }
    Ok(Section {
        media,
        head: Head { word, proto, format },
        mid: Mid::from("_"),
        direction,
        rejected: port == 0,
        stream_id: "",
        track_id: "",
        rids: Vec::new(),
        simulcast: false,
        extensions: Vec::new(),
        mixed: false,
        reduced_size: false,
        sctp_port: None,
        message_len_max: None,
        payloads,
        feedback: Feedback::default(),
        ssrcs: Vec::new(),
        pairs: Vec::new(),
        transport: TransportText::default(),
        mid_text: None,
        direction_said: false,
        rid_lines: 0,
    })
}

impl<'t> Section<'t> {
    fn attribute(&mut self, name: &str, value: &'t str) -> Result<(), SdpError> {
        match name {
            "mid" if self.mid_text.is_some() => return Err(malformed("two names of one section")),
            "mid" => self.mid_text = Some(value),
            "msid" => {
                let mut words = value.split_ascii_whitespace();
                self.stream_id = words.next().unwrap_or_default();
                self.track_id = words.next().unwrap_or_default();
            }
            "rid" => self.rid(value)?,
            "simulcast" => {
                self.simulcast |= value.split_ascii_whitespace().any(|word| word == "send");
            }
            "rtpmap" => self.on_payload(value, |payload, map| {
                payload.map.get_or_insert(map);
            }),
            "fmtp" => self.on_payload(value, |payload, parameters| {
                payload.parameters.get_or_insert(parameters);
            }),
            "rtcp-fb" => self.feedback(value),
            "rtcp-rsize" => self.reduced_size = true,
            "extmap-allow-mixed" => self.mixed = true,
            "extmap" => {
                if self.extensions.len() < EXTENSIONS_MAX {
                    self.extensions.extend(Extension::read(value));
                }
            }
            "ssrc" => {
                let ssrc = value.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
                self.ssrcs.extend(ssrc.filter(|ssrc| !self.ssrcs.contains(ssrc)));
            }
            "ssrc-group" => self.pair(value),
            "sctp-port" => self.sctp_port = value.parse().ok(),
            "max-message-size" => self.message_len_max = value.parse().ok(),
            word => return self.direction(word),
        }
        Ok(())
    }

    fn direction(&mut self, word: &str) -> Result<(), SdpError> {
        let Some(direction) = Direction::read(word) else { return Ok(()) };
        if std::mem::replace(&mut self.direction_said, true) {
            return Err(malformed("two directions of one section"));
        }
        self.direction = direction;
        Ok(())
    }

    fn rid(&mut self, value: &str) -> Result<(), SdpError> {
        let mut words = value.split_ascii_whitespace();
        if let (Some(name), Some("send")) = (words.next(), words.next())
            && Rid::is_exact(name)
        {
            self.rid_lines += 1;
            if self.rid_lines > limits::SDP_RIDS_MAX {
                return Err(SdpError::TooManyStreams);
            }
            let rid = Rid::from(name);
            if !self.rids.contains(&rid) {
                self.rids.push(rid);
            }
        }
        Ok(())
    }

    /// Hands the rest of a value that begins with a payload type of this section to its entry.
    fn on_payload(&mut self, value: &'t str, set: impl FnOnce(&mut PayloadText<'t>, &'t str)) {
        if let Some((pt, rest)) = value.split_once(' ')
            && let Ok(pt) = pt.parse::<u8>()
            && let Some(payload) = self.payloads.iter_mut().find(|payload| payload.pt == pt)
        {
            set(payload, rest.trim());
        }
    }

    /// Reads an `a=rtcp-fb` value (RFC 4585 section 4.2).
    fn feedback(&mut self, value: &'t str) {
        let said = |words: &str| Feedback {
            nack: words == "nack",
            pli: words == "nack pli",
            fir: words == "ccm fir",
            transport_cc: words == "transport-cc",
            remb: words == "goog-remb",
        };
        if let Some(words) = value.strip_prefix("* ") {
            self.feedback = self.feedback.or(said(words.trim()));
            return;
        }
        self.on_payload(value, |payload, words| {
            payload.feedback = payload.feedback.or(said(words));
        });
    }

    /// Reads an `a=ssrc-group` value (RFC 5576 section 4.2). The bound on SSRCs is the bound on pairs.
    fn pair(&mut self, value: &str) {
        let mut words = value.split_ascii_whitespace();
        if words.next() == Some("FID")
            && self.pairs.len() < limits::SDP_SSRC_LINES_MAX
            && let (Some(Ok(main)), Some(Ok(rtx))) =
                (words.next().map(str::parse), words.next().map(str::parse))
        {
            self.pairs.push((main, rtx));
        }
    }
}
