//! Messages and channel data in a stream of bytes (RFC 8656 sections 3.1 and 12.5): each says its own length.

use crate::limits::MESSAGE_LEN_MAX;

/// What a stream begins with is no message of TURN, or one that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a STUN message nor channel data of at most {MESSAGE_LEN_MAX} bytes")]
pub struct NoMessage;

/// The length of the first message of `bytes` without padding, and how many bytes it takes up in a stream.
/// `None`: more bytes are needed.
///
/// # Errors
/// [`NoMessage`]; the stream is of no more use then.
pub fn first_message(bytes: &[u8]) -> Result<Option<(usize, usize)>, NoMessage> {
    let Some([first, _, high, low]) = bytes.first_chunk::<4>() else { return Ok(None) };
    let told = usize::from(u16::from_be_bytes([*high, *low]));
    let (len, taken) = match first >> 6 {
        0 if told.is_multiple_of(4) => (20 + told, 20 + told),
        1 if (0x40..=0x4f).contains(first) => (4 + told, 4 + told.next_multiple_of(4)),
        _ => return Err(NoMessage),
    };
    if taken > MESSAGE_LEN_MAX {
        return Err(NoMessage);
    }
    Ok((bytes.len() >= taken).then_some((len, taken)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_their_lengths() {
        assert_eq!(first_message(&[0, 1, 0]), Ok(None));
        assert_eq!(first_message(&[&[0, 1, 0, 4][..], &[0; 19]].concat()), Ok(None));
        assert_eq!(first_message(&[&[0, 1, 0, 4][..], &[0; 30]].concat()), Ok(Some((24, 24))));
        assert_eq!(first_message(&[0x40, 0, 0, 1, 7, 0, 0, 0, 9]), Ok(Some((5, 8))));
        assert_eq!(first_message(&[0x40, 0, 0, 1, 7]), Ok(None), "the padding is still to come");
        for wrong in [[0, 1, 0, 3], [0x50, 0, 0, 1], [0x80, 0, 0, 1], [0x40, 0, 0xff, 0]] {
            assert!(first_message(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(first_message(b"GET / HTTP/1.1"), Err(NoMessage));
    }
}
