//! The two messages that open a data channel (RFC 8832 section 5).

use sctp_proto::ReliabilityType;

/// How messages of a channel travel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reliability {
    pub(super) ordered: bool,
    pub(super) kind: ReliabilityType,
    /// How often a message is sent again, or milliseconds that it may take, by `kind`.
    pub(super) value: u32,
}

impl Reliability {
    /// Ordered, sent again until it arrives.
    pub(super) const RELIABLE: Self =
        Self { ordered: true, kind: ReliabilityType::Reliable, value: 0 };
    /// Unordered, sent once.
    pub(super) const LOSSY: Self = Self { ordered: false, kind: ReliabilityType::Rexmit, value: 0 };
}

/// A `DATA_CHANNEL_OPEN` as it came.
#[derive(Debug, PartialEq)]
pub(super) struct Open<'a> {
    pub(super) reliability: Reliability,
    pub(super) label: &'a str,
}

const OPEN: u8 = 0x03;
const ACK: u8 = 0x02;
/// In the channel type: messages may arrive out of order.
const UNORDERED: u8 = 0x80;

/// Reads `DATA_CHANNEL_OPEN`; `None` for anything else, a type of channel that does not exist, a label that is
/// no text. The protocol's name is not looked at.
pub(super) fn parse_open(message: &[u8]) -> Option<Open<'_>> {
    let (head, rest) = message.split_first_chunk::<12>()?;
    let [OPEN, channel, _, _, v0, v1, v2, v3, l0, l1, p0, p1] = *head else { return None };
    let kind = match channel & !UNORDERED {
        0 => ReliabilityType::Reliable,
        1 => ReliabilityType::Rexmit,
        2 => ReliabilityType::Timed,
        _ => return None,
    };
    let label_len = usize::from(u16::from_be_bytes([l0, l1]));
    let protocol_len = usize::from(u16::from_be_bytes([p0, p1]));
    if rest.len() < label_len + protocol_len {
        return None;
    }
    Some(Open {
        reliability: Reliability {
            ordered: channel & UNORDERED == 0,
            kind,
            value: u32::from_be_bytes([v0, v1, v2, v3]),
        },
        label: std::str::from_utf8(rest.get(..label_len)?).ok()?,
    })
}

/// Writes `DATA_CHANNEL_OPEN` of a channel without a protocol's name.
pub(super) fn open(label: &str, reliability: Reliability) -> Vec<u8> {
    let kind = match reliability.kind {
        ReliabilityType::Reliable => 0,
        ReliabilityType::Rexmit => 1,
        ReliabilityType::Timed => 2,
    };
    let channel = kind | if reliability.ordered { 0 } else { UNORDERED };
    let mut message = vec![OPEN, channel, 0, 0];
    message.extend_from_slice(&reliability.value.to_be_bytes());
    // Labels are ours and short.
    message.extend_from_slice(&u16::try_from(label.len()).unwrap_or(0).to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(label.as_bytes());
    message
}

/// `DATA_CHANNEL_ACK`.
pub(super) const ACKNOWLEDGEMENT: [u8; 1] = [ACK];

/// Is it `DATA_CHANNEL_ACK`?
pub(super) fn is_ack(message: &[u8]) -> bool {
    message.first() == Some(&ACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (label, reliability) in [
            ("_reliable", Reliability::RELIABLE),
            ("_lossy", Reliability::LOSSY),
            ("", Reliability { ordered: true, kind: ReliabilityType::Timed, value: 70_000 }),
        ] {
            let message = open(label, reliability);
            assert_eq!(parse_open(&message), Some(Open { reliability, label }));
            for cut in 0..message.len() {
                assert_eq!(parse_open(&message[..cut]), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn a_browsers_open_is_read() {
        let bytes = b"\x03\x81\x01\x00\x00\x00\x00\x03\x00\x06\x00\x02_lossyxy";
        let open = parse_open(bytes).unwrap();
        assert_eq!(open.label, "_lossy");
        let expected = Reliability { ordered: false, kind: ReliabilityType::Rexmit, value: 3 };
        assert_eq!(open.reliability, expected);
    }

    #[test]
    fn nonsense_is_not_read() {
        let table: [&[u8]; 4] = [
            b"",
            b"\x02",
            // A type of channel that does not exist.
            b"\x03\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00a",
            // A label that is no text.
            b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xFF",
        ];
        for bytes in table {
            assert_eq!(parse_open(bytes), None, "{bytes:?}");
        }
        assert!(is_ack(&ACKNOWLEDGEMENT) && !is_ack(b"") && !is_ack(b"\x03"));
    }
}
