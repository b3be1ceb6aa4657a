//! What payload types stand for in a peer's SDP, checked before anything is taken over.
//!
//! In one bundle a payload type means one thing (RFC 9143 section 9.1), and goes on meaning it:
//! packets that are still under way are read by the number alone. So a number used twice is an error.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::error::SdpError;

/// Format parameters that tell apart two payloads of one codec. Other numbers may differ from section to section.
const TELLING: [&str; 6] =
    ["apt", "packetization-mode", "profile-id", "profile", "tier", "tier-flag"];

/// Hex digits of H264's `profile-level-id` (RFC 6184 section 8.1).
const PROFILE_LEVEL_DIGITS: usize = 6;
/// How many of them are the profile; the rest is the level, which may differ.
const PROFILE_DIGITS: usize = 4;

/// What one payload type stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Meaning {
    /// Encoding name, clock rate and channels, in lower case.
    map: Option<String>,
    /// Its format lines, without what may differ. Text rather than values: a line and a
    /// slightly broken one are two things.
    formats: Vec<String>,
}

/// The payload types of one or more SDPs. At most 128.
#[derive(Debug, Clone, Default)]
pub(crate) struct Payloads(BTreeMap<u8, Meaning>);

impl Payloads {
    /// Takes the value of an `m=` line: static types need no map.
    pub(crate) fn media(&mut self, section: &mut Self, media: &str) -> Result<(), SdpError> {
        self.take(section)?;
        if media.starts_with("audio") {
            for word in media.split_ascii_whitespace().skip(3) {
                match word {
                    // RFC 3551 section 6.
                    "0" => section.map(0, "pcmu/8000")?,
                    "8" => section.map(8, "pcma/8000")?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Takes an attribute, the text after `a=`, into the payloads of its section.
    pub(crate) fn attribute(&mut self, attribute: &str) -> Result<(), SdpError> {
        if let Some((pt, map)) = attribute.strip_prefix("rtpmap:").and_then(split_pt) {
            return self.map(payload_type(pt)?, map);
        }
        if let Some((pt, values)) = attribute.strip_prefix("fmtp:").and_then(split_pt) {
            let format = telling(values);
            if !format.is_empty() {
                self.0.entry(payload_type(pt)?).or_default().formats.push(format);
            }
        }
        Ok(())
    }

    fn map(&mut self, pt: u8, map: &str) -> Result<(), SdpError> {
        let map = map.to_ascii_lowercase();
        let known = &mut self.0.entry(pt).or_default().map;
        if known.as_ref().is_some_and(|known| *known != map) {
            return Err(SdpError::PayloadType { pt });
        }
        *known = Some(map);
        Ok(())
    }

    /// Joins the payloads of a section, or of another SDP, leaving `other` empty.
    pub(crate) fn take(&mut self, other: &mut Self) -> Result<(), SdpError> {
        for (pt, meaning) in std::mem::take(&mut other.0) {
            match self.0.entry(pt) {
                Entry::Vacant(entry) => {
                    entry.insert(meaning);
                }
                Entry::Occupied(entry) => {
                    if *entry.get() != meaning {
                        return Err(SdpError::PayloadType { pt });
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is left of a format line when everything is taken out that does not change what it stands for.
fn telling(values: &str) -> String {
    let mut left = String::new();
    for value in values.to_ascii_lowercase().split(';') {
        let value = value.strip_prefix(' ').unwrap_or(value);
        let (name, number) = value.split_once('=').unwrap_or((value, ""));
        let plain = !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let hex = number.bytes().all(|b| b.is_ascii_hexdigit());
        if name == "profile-level-id" && number.len() == PROFILE_LEVEL_DIGITS && hex {
            left.push_str(name);
            left.extend(number.chars().take(PROFILE_DIGITS));
        } else if !plain || name.is_empty() || name == "profile-level-id" || TELLING.contains(&name)
        {
            left.push_str(value);
        } else {
            continue;
        }
        left.push(';');
    }
    left
}

fn split_pt(text: &str) -> Option<(&str, &str)> {
    text.trim_start().split_once(' ')
}

/// Payload types are seven bits; larger numbers are none.
fn payload_type(text: &str) -> Result<u8, SdpError> {
    match text.trim().parse::<u8>() {
        Ok(pt) if pt < 128 => Ok(pt),
        _ => Err(SdpError::Malformed { detail: "payload type".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sections of lines, each line `m=..` or an attribute.
    fn check(sections: &[&[&str]]) -> Result<(), SdpError> {
        let mut all = Payloads::default();
        let mut section = Payloads::default();
        for lines in sections {
            for line in *lines {
                match line.strip_prefix("m=") {
                    Some(media) => all.media(&mut section, media)?,
                    None => section.attribute(line)?,
                }
            }
        }
        all.take(&mut section)
    }

    #[test]
    fn one_number_means_one_thing() {
        let h264 = ["m=video 9 X 102", "rtpmap:102 H264/90000", "fmtp:102 profile-level-id=42e01f"];
        let level =
            ["m=video 9 X 102", "rtpmap:102 h264/90000", "fmtp:102 profile-level-id=42E034"];
        let profile =
            ["m=video 9 X 102", "rtpmap:102 H264/90000", "fmtp:102 profile-level-id=64001f"];
        let broken =
            ["m=video 9 X 102", "rtpmap:102 H264/90000", "fmtp:102 profile-level-id=42e0gf"];
        let unread =
            ["m=video 9 X 102", "rtpmap:102 H264/90000", "fmtp:102 =x;profile-level-id=42e01f"];
        let vp8 = ["m=video 9 X 102", "rtpmap:102 VP8/90000"];
        let rtx = ["m=video 9 X 97", "rtpmap:97 rtx/90000", "fmtp:97 apt=96"];
        let rtx_other = ["m=video 9 X 97", "rtpmap:97 rtx/90000", "fmtp:97 apt=98"];
        let mono = ["m=audio 9 X 111", "rtpmap:111 opus/48000/2", "fmtp:111 minptime=10"];
        let stereo =
            ["m=audio 9 X 111", "rtpmap:111 opus/48000/2", "fmtp:111 stereo=1;minptime=10"];
        let pcmu = ["m=audio 9 X 0"];
        let odd = ["m=video 9 X 0", "rtpmap:0 VP8/90000"];
        for (first, second, error) in [
            (&h264[..], &h264[..], None),
            (&h264, &level, None),
            (&h264, &profile, Some(102)),
            (&h264, &broken, Some(102)),
            (&h264, &unread, Some(102)),
            (&h264, &vp8, Some(102)),
            (&rtx, &rtx, None),
            (&rtx, &rtx_other, Some(97)),
            (&mono, &stereo, None),
            (&pcmu, &pcmu, None),
            (&pcmu, &odd, Some(0)),
        ] {
            let expected = error.map_or(Ok(()), |pt| Err(SdpError::PayloadType { pt }));
            assert_eq!(check(&[first, second]), expected, "{first:?} {second:?}");
        }
        assert!(
            check(&[&["m=video 9 X 96", "rtpmap:96 VP8/90000", "rtpmap:96 VP9/90000"]]).is_err()
        );
        assert!(check(&[&["m=video 9 X 200", "rtpmap:200 VP8/90000"]]).is_err());
        assert!(check(&[&["m=video 9 X 128", "rtpmap:128 VP8/90000"]]).is_err());
    }
}
