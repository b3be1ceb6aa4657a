//! The first words of a DTLS handshake (RFC 6347): enough to begin one, nothing to finish it with.

use super::random::Random;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
const SERVER_HELLO: u8 = 2;
const DTLS_1_2: [u8; 2] = [0xFE, 0xFD];
/// Record header, bytes.
const RECORD_LEN: usize = 13;
/// Handshake header, bytes.
const HEADER_LEN: usize = 12;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Say it again with this cookie (RFC 6347 section 4.2.1).
    Verify(Vec<u8>),
    /// The server took it and sent its part.
    Flight,
}

/// A hello, the first (without a cookie) or the second.
#[derive(Debug, Clone)]
pub(super) struct Hello {
    random: [u8; 32],
    said: u8,
}

impl Hello {
    /// One with numbers of its own.
    pub(super) fn new(random: &mut Random) -> Self {
        Self { random: random.bytes(), said: 0 }
    }

    /// The next datagram.
    pub(super) fn say(&mut self, cookie: &[u8]) -> Vec<u8> {
        let mut body = Vec::with_capacity(160);
        body.extend(DTLS_1_2);
        body.extend(self.random);
        body.push(0);
        body.push(u8::try_from(cookie.len()).unwrap_or(0));
        body.extend(cookie.iter().take(255));
        // ECDHE with an ECDSA certificate and AES-128-GCM, as browsers offer it; and its sibling for RSA.
        sized(&mut body, &[0xC0, 0x2B, 0xC0, 0x2F]);
        body.extend([1, 0]);
        sized(&mut body, &extensions());
        let number = self.said;
        self.said = self.said.wrapping_add(1);
        record(number, &body)
    }
}

/// `supported_groups`, `ec_point_formats`, `signature_algorithms`, `use_srtp`, `extended_master_secret`,
/// `renegotiation_info`.
fn extensions() -> Vec<u8> {
    let all: [(u16, &[u8]); 6] = [
        (10, &[0, 4, 0, 0x1D, 0, 0x17]),
        (11, &[1, 0]),
        (13, &[0, 6, 4, 3, 8, 4, 4, 1]),
        (14, &[0, 4, 0, 7, 0, 1, 0]),
        (23, &[]),
        (0xFF01, &[0]),
    ];
    let mut bytes = Vec::with_capacity(64);
    for (kind, content) in all {
        bytes.extend(kind.to_be_bytes());
        sized(&mut bytes, content);
    }
    bytes
}

/// Appends with its length in two bytes before it.
fn sized(out: &mut Vec<u8>, content: &[u8]) {
    out.extend(u16::try_from(content.len()).unwrap_or(0).to_be_bytes());
    out.extend(content);
}

/// A record with one whole handshake message.
fn record(number: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    let [_, len @ ..] = len;
    let mut out = Vec::with_capacity(RECORD_LEN + HEADER_LEN + body.len());
    out.push(HANDSHAKE);
    out.extend([0xFE, 0xFF]);
    out.extend([0, 0, 0, 0, 0, 0, 0, number]);
    out.extend(u16::try_from(HEADER_LEN + body.len()).unwrap_or(0).to_be_bytes());
    out.push(CLIENT_HELLO);
    out.extend(len);
    out.extend([0, number]);
    out.extend([0, 0, 0]);
    out.extend(len);
    out.extend(body);
    out
}

/// What a datagram of the server says; `None` if nothing of this.
pub(super) fn read(data: &[u8]) -> Option<Answer> {
    if *data.first()? != HANDSHAKE {
        return None;
    }
    match *data.get(RECORD_LEN)? {
        SERVER_HELLO => Some(Answer::Flight),
        HELLO_VERIFY_REQUEST => {
            let body = data.get(RECORD_LEN + HEADER_LEN..)?;
            let len = usize::from(*body.get(2)?);
            Some(Answer::Verify(body.get(3..3 + len)?.to_vec()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_and_cookies_return() {
        let mut hello = Hello::new(&mut Random::new(7));
        let (first, second) = (hello.say(&[]), hello.say(&[9; 20]));
        for (number, data) in [(0, &first), (1, &second)] {
            let record_len = usize::from(u16::from_be_bytes([data[11], data[12]]));
            assert_eq!(record_len + RECORD_LEN, data.len());
            assert_eq!((data[10], data[18]), (number, number));
            let body_len = usize::from(u16::from_be_bytes([data[15], data[16]]));
            assert_eq!(body_len + HEADER_LEN + RECORD_LEN, data.len());
        }
        assert_eq!(second.len(), first.len() + 20);
        assert_eq!(read(&first), None);
        let mut verify = first[..RECORD_LEN + HEADER_LEN].to_vec();
        verify[RECORD_LEN] = HELLO_VERIFY_REQUEST;
        verify.extend([0xFE, 0xFD, 3, 1, 2, 3]);
        assert_eq!(read(&verify), Some(Answer::Verify(vec![1, 2, 3])));
        assert_eq!(read(&verify[..verify.len() - 1]), None);
    }
}
