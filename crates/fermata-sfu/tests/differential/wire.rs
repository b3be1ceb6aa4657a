//! What datagrams are, as far as it shows from outside.

/// What a datagram is, as far as it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Audio,
    /// A retransmission (RFC 4588).
    Again,
    /// RTCP.
    Feedback,
    /// STUN, DTLS.
    Other,
}

/// Which payload type is what, read from the session descriptions of a connection.
#[derive(Debug, Default)]
pub(crate) struct Formats(Vec<(u8, Kind)>);

impl Formats {
    pub(crate) fn learn(&mut self, sdp: &str) {
        for line in sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")) {
            let Some((number, name)) = line.split_once(' ') else { continue };
            let name = name.split('/').next().unwrap_or_default().to_lowercase();
            let kind = match name.as_str() {
                "rtx" => Kind::Again,
                "opus" | "red" | "pcmu" | "pcma" => Kind::Audio,
                _ => Kind::Video,
            };
            self.0.push((number.parse().unwrap(), kind));
        }
    }

    pub(crate) fn of(&self, data: &[u8]) -> Kind {
        // RFC 7983 section 7, RFC 5761 section 4.
        if data.len() < 12 || !(128..192).contains(&data[0]) {
            return Kind::Other;
        }
        if (192..=223).contains(&data[1]) {
            return Kind::Feedback;
        }
        let number = data[1] & 0x7f;
        let known = self.0.iter().find(|(known, _)| *known == number);
        known.map_or(Kind::Other, |(_, kind)| *kind)
    }
}
