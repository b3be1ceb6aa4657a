//! Just enough STUN to find the connection that a binding request is for.

/// Our ICE user fragment in the USERNAME of a STUN binding request, the part before the colon
/// (RFC 8445 section 7.2.2: `RFRAG:LFRAG` from the sender's side, the receiver's fragment first).
///
/// `None` if `data` is not a binding request or has no such attribute. Authenticates nothing: for choosing
/// a connection among many when the source address is new, which then checks MESSAGE-INTEGRITY.
pub fn stun_username_ufrag(data: &[u8]) -> Option<&str> {
    const HEADER_LEN: usize = 20;
    const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
    const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
    const USERNAME: [u8; 2] = [0x00, 0x06];

    let (header, body) = data.split_at_checked(HEADER_LEN)?;
    if header.get(..2)? != BINDING_REQUEST || header.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([*header.get(2)?, *header.get(3)?]));
    let mut rest = body.get(..len)?;
    while let Some((attribute, tail)) = rest.split_at_checked(4) {
        let len = usize::from(u16::from_be_bytes([*attribute.get(2)?, *attribute.get(3)?]));
        if attribute.get(..2)? == USERNAME {
            let username = std::str::from_utf8(tail.get(..len)?).ok()?;
            let (local, _remote) = username.split_once(':')?;
            return (!local.is_empty()).then_some(local);
        }
        // Attributes are padded to four bytes (RFC 8489 section 14).
        rest = tail.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut data = vec![0, 1];
        data.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        data.extend([0x21, 0x12, 0xA4, 0x42]);
        data.extend([7; 12]);
        data.extend(body);
        data
    }

    #[test]
    fn finds_our_part_behind_other_attributes() {
        let data = request(&[(0x8022, b"odd"), (0x0006, b"ours:theirs"), (0x0008, &[0; 20])]);
        assert_eq!(stun_username_ufrag(&data), Some("ours"));
    }

    #[test]
    fn is_silent_on_anything_else() {
        let mut response = request(&[(6, b"a:b")]);
        response[0] = 1;
        let mut cookie = request(&[(6, b"a:b")]);
        cookie[4] = 0;
        for data in [
            vec![],
            vec![0; 19],
            response,
            cookie,
            request(&[]),
            request(&[(6, b"nocolon")]),
            request(&[(6, b":b")]),
            request(&[(6, &[0xff, b':'])]),
        ] {
            assert_eq!(stun_username_ufrag(&data), None, "{data:?}");
        }
        let whole = request(&[(0x8022, b"odd"), (6, b"a:b")]);
        for len in 0..whole.len() {
            assert_eq!(stun_username_ufrag(&whole[..len]), None, "{len}");
        }
    }
}
