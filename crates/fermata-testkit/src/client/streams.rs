//! What a server said in SDP about the streams it sends.

use std::collections::HashMap;

/// The streams of a connection as the latest description has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamMap {
    /// Sections on which the server sends.
    pub tracks: Vec<StreamTrack>,
    /// Payload types of retransmissions (RFC 4588), with those that they repeat.
    pub retransmissions: HashMap<u8, u8>,
    /// Payload types of VP8.
    pub vp8: Vec<u8>,
    /// Payload types of audio.
    pub audio: Vec<u8>,
    /// Id of the header extension with a number for the whole transport.
    pub transport_cc: Option<u8>,
    /// Id of the header extension with the section's name.
    pub mid: Option<u8>,
}

/// A section on which the server sends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamTrack {
    /// Name of the section.
    pub mid: String,
    /// Sid of the track.
    pub sid: String,
    /// Video, or audio.
    pub video: bool,
    /// SSRCs of media.
    pub ssrcs: Vec<u32>,
    /// SSRCs of retransmissions, with those that they repeat.
    pub repairs: Vec<(u32, u32)>,
}

const TRANSPORT_CC: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

impl StreamMap {
    /// Reads what is sent from the sender's description and what was agreed from ours.
    pub(super) fn read(theirs: &str, ours: &str) -> Self {
        let mut map = Self::default();
        let mut track = StreamTrack::default();
        let mut sends = false;
        for line in theirs.lines().chain(["m="]) {
            if let Some(rest) = line.strip_prefix("m=") {
                let done = std::mem::take(&mut track);
                if std::mem::take(&mut sends) && !done.mid.is_empty() {
                    map.tracks.push(done);
                }
                track.video = rest.starts_with("video");
            } else if let Some(rest) = line.strip_prefix("a=") {
                match rest.split_once(':') {
                    Some((name, value)) => map.attribute(&mut track, name, value),
                    None => sends |= rest == "sendonly" || rest == "sendrecv",
                }
            }
        }
        for line in ours.lines() {
            let Some(rest) = line.strip_prefix("a=extmap:") else { continue };
            let Some((id, uri)) = rest.split_once(' ') else { continue };
            let id = id.split('/').next().and_then(|id| id.parse().ok());
            match uri.trim() {
                TRANSPORT_CC => map.transport_cc = id,
                MID => map.mid = id,
                _ => {}
            }
        }
        map
    }

    fn attribute(&mut self, track: &mut StreamTrack, name: &str, value: &str) {
        let mut words = value.split([' ', ';']);
        let first = words.next().unwrap_or_default();
        match name {
            "mid" => value.clone_into(&mut track.mid),
            "msid" => words.next().unwrap_or_default().clone_into(&mut track.sid),
            "ssrc" => {
                if let Ok(ssrc) = first.parse::<u32>()
                    && !track.ssrcs.contains(&ssrc)
                    && !track.repairs.iter().any(|(repair, _)| *repair == ssrc)
                {
                    track.ssrcs.push(ssrc);
                }
            }
            "ssrc-group" if first == "FID" => {
                let mut numbers = words.filter_map(|word| word.parse::<u32>().ok());
                if let (Some(media), Some(repair)) = (numbers.next(), numbers.next()) {
                    track.repairs.push((repair, media));
                    track.ssrcs.retain(|ssrc| *ssrc != repair);
                }
            }
            "rtpmap" => {
                let Ok(payload) = first.parse::<u8>() else { return };
                let codec = words.next().unwrap_or_default().to_ascii_lowercase();
                if codec.starts_with("vp8/") && !self.vp8.contains(&payload) {
                    self.vp8.push(payload);
                }
                if !track.video && !self.audio.contains(&payload) {
                    self.audio.push(payload);
                }
            }
            "fmtp" => {
                let apt = words.find_map(|word| word.trim().strip_prefix("apt="));
                if let (Ok(repair), Some(Ok(media))) =
                    (first.parse::<u8>(), apt.map(str::parse::<u8>))
                {
                    self.retransmissions.insert(repair, media);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sections_that_send() {
        let theirs = "v=0\r\nm=audio 9 X 111\r\na=mid:0\r\na=sendonly\r\na=msid:PA TR_A\r\n\
            a=rtpmap:111 opus/48000/2\r\na=ssrc:1 cname:x\r\n\
            m=video 9 X 96 97\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n\
            a=fmtp:97 apt=96\r\na=msid:PA TR_V\r\na=ssrc-group:FID 2 3\r\na=ssrc:2 cname:x\r\n\
            a=ssrc:3 cname:x\r\na=sendonly\r\n\
            m=video 9 X 96\r\na=mid:2\r\na=inactive\r\na=ssrc:7 cname:x\r\n";
        let ours = format!("a=extmap:3 {TRANSPORT_CC}\r\na=extmap:4 {MID}\r\n");
        let map = StreamMap::read(theirs, &ours);
        assert_eq!((map.transport_cc, map.mid), (Some(3), Some(4)));
        assert_eq!((map.vp8.as_slice(), map.audio.as_slice()), ([96].as_slice(), [111].as_slice()));
        assert_eq!(map.retransmissions, HashMap::from([(97, 96)]));
        let [audio, video] = map.tracks.as_slice() else { panic!("{:?}", map.tracks) };
        assert_eq!(
            (audio.sid.as_str(), audio.video, audio.ssrcs.as_slice()),
            ("TR_A", false, [1].as_slice())
        );
        assert_eq!((video.sid.as_str(), video.ssrcs.as_slice()), ("TR_V", [2].as_slice()));
        assert_eq!(video.repairs, [(3, 2)]);
    }
}
