//! As much of SDP as half a connection needs: who the server is, and lines that it takes for a client's.

use std::net::SocketAddr;

use super::random::Random;

/// Where a connection of the server is, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// Its user name fragment.
    pub(super) ufrag: String,
    /// Its password.
    pub(super) password: String,
    /// Its first address on this machine.
    pub(super) address: SocketAddr,
}

/// What we call ourselves.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub(super) ufrag: String,
    password: String,
    fingerprint: String,
}

impl Local {
    /// A client that never existed; nobody holds the key of its certificate.
    pub(super) fn new(random: &mut Random) -> Self {
        let hash: [u8; 32] = random.bytes();
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Self { ufrag: random.text(8), password: random.text(24), fingerprint: pairs.join(":") }
    }

    /// An offer of a connection for data only.
    pub(super) fn offer(&self) -> String {
        let section = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel";
        format!("{}{}", head("0"), self.section(section, "0", "actpass"))
    }

    /// An answer that takes the data section of an offer and refuses all others.
    pub(super) fn answer(&self, offer: &str) -> String {
        let mut sections = String::new();
        let mut taken = Vec::new();
        for (line, mid) in sections_of(offer) {
            if line.starts_with("m=application") {
                sections.push_str(&self.section(line, mid, "active"));
                taken.push(mid);
            } else {
                sections.push_str(&refused(line, mid));
            }
        }
        format!("{}{sections}", head(&taken.join(" ")))
    }

    fn section(&self, line: &str, mid: &str, setup: &str) -> String {
        let Self { ufrag, password, fingerprint } = self;
        format!(
            "{line}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
             a=ice-options:trickle\r\na=fingerprint:sha-256 {fingerprint}\r\na=setup:{setup}\r\n\
             a=mid:{mid}\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n"
        )
    }
}

fn head(bundle: &str) -> String {
    format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {bundle}\r\n")
}

/// A section with port 0 (RFC 3264 section 6).
fn refused(line: &str, mid: &str) -> String {
    let mut words = line.split(' ');
    let (kind, _port) = (words.next().unwrap_or_default(), words.next());
    let rest: Vec<&str> = words.collect();
    format!("{kind} 0 {}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\na=mid:{mid}\r\n", rest.join(" "))
}

/// The m-lines with their names.
fn sections_of(sdp: &str) -> Vec<(&str, &str)> {
    let mut sections: Vec<(&str, &str)> = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            sections.push((line, ""));
        } else if let (Some(mid), Some(last)) = (line.strip_prefix("a=mid:"), sections.last_mut()) {
            last.1 = mid;
        }
    }
    sections
}

/// Reads the server's description. `None` without a fragment, a password and a UDP address of this machine:
/// others are never sent to.
pub(super) fn remote(sdp: &str) -> Option<Remote> {
    let value = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
    let address =
        sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")).find_map(candidate);
    Some(Remote {
        ufrag: value("a=ice-ufrag:")?.to_owned(),
        password: value("a=ice-pwd:")?.to_owned(),
        address: address?,
    })
}

/// Foundation, component, protocol, priority, address, port (RFC 8839 section 5.1).
fn candidate(text: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = text.split(' ').collect();
    let (protocol, ip, port) = (words.get(2)?, words.get(4)?, words.get(5)?);
    let address = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
    (protocol.eq_ignore_ascii_case("udp") && address.ip().is_loopback()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_read() {
        let sdp = |ip: &str| {
            format!(
                "v=0\r\nm=application 9 X y\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n\
                 a=candidate:1 1 tcp 1 127.0.0.1 1 typ host\r\na=candidate:1 1 udp 1 {ip} 4000 typ host\r\n"
            )
        };
        let read = remote(&sdp("127.0.0.1")).unwrap();
        assert_eq!(read.address, "127.0.0.1:4000".parse().unwrap());
        assert_eq!((read.ufrag.as_str(), read.password.as_str()), ("abcd", "secret"));
        assert_eq!(remote(&sdp("192.0.2.1")), None);
    }

    #[test]
    fn an_answer_takes_data_and_refuses_media() {
        let offer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n";
        let local = Local::new(&mut Random::new(3));
        let answer = local.answer(offer);
        assert!(answer.contains("a=group:BUNDLE 0\r\n"), "{answer}");
        assert!(answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111\r\n"), "{answer}");
        assert!(answer.contains("a=setup:active\r\na=mid:0\r\n"), "{answer}");
        assert_eq!(sections_of(&local.offer()).len(), 1);
    }
}
