//! Trickled candidates (RFC 8839 section 5.1).

use std::net::{IpAddr, SocketAddr};

use crate::error::SdpError;
use crate::limits;

/// Types of candidates.
const TYPES: [&str; 4] = ["host", "srflx", "prflx", "relay"];

/// The address of a candidate, the text beginning with `candidate:`.
///
/// # Errors
/// [`SdpError::Candidate`] for anything but an IP address over UDP.
pub(crate) fn parse(text: &str) -> Result<SocketAddr, SdpError> {
    read(text).ok_or(SdpError::Candidate)
}

fn read(text: &str) -> Option<SocketAddr> {
    if text.len() > limits::CANDIDATE_LEN_MAX {
        return None;
    }
    let text = text.strip_prefix("a=").unwrap_or(text).strip_prefix("candidate:")?;
    let mut words = text.split_ascii_whitespace();
    let foundation = words.next()?;
    let component: u16 = words.next()?.parse().ok()?;
    let protocol = words.next()?;
    let _priority: u32 = words.next()?.parse().ok()?;
    let address: IpAddr = words.next()?.parse().ok()?;
    let port: u16 = words.next()?.parse().ok()?;
    let fits = !foundation.is_empty()
        && component > 0
        && protocol.eq_ignore_ascii_case("udp")
        && port > 0
        && words.next() == Some("typ")
        && words.next().is_some_and(|kind| TYPES.contains(&kind));
    fits.then_some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_over_udp_are_candidates() {
        for (text, address) in [
            ("candidate:1 1 udp 1 192.0.2.9 9 typ host generation 0", Some("192.0.2.9:9")),
            (
                "a=candidate:x 1 UDP 1 2001:db8::1 9 typ srflx raddr 0.0.0.0 rport 0",
                Some("[2001:db8::1]:9"),
            ),
            ("candidate:1 1 udp 1 abc.local 5000 typ host", None),
            ("candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active", None),
            ("candidate:1 1 udp 99999999999 192.0.2.9 9 typ host", None),
            ("candidate:1 1 udp 1 192.0.2.9 99999 typ host", None),
            ("candidate:1 1 udp 1 192.0.2.9 9 typ", None),
            ("candidate:", None),
            ("", None),
        ] {
            let expected = address.map(|address| address.parse().unwrap());
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }
}
