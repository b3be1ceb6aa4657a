//! RTP headers (RFC 3550 section 5.1) and their extensions (RFC 8285): read from any bytes, written in either
//! form.
//!
//! What it is not: what the extensions mean is in [`crate::extension`]; encryption is elsewhere.

use crate::wire;

/// Bytes of a header without contributing sources and extensions.
pub const FIXED_LEN: usize = 12;

/// Most bytes of one extension in the one-byte form.
pub const EXTENSION_LEN_MAX: usize = 16;

/// Greatest extension id in the one-byte form.
pub const EXTENSION_ID_MAX: u8 = 14;

/// Most bytes of padding, its count included.
pub const PADDING_LEN_MAX: usize = 255;

/// Most bytes of one extension in the two-byte form.
pub const EXTENSION_LEN_MAX_TWO_BYTE: usize = 255;

/// How the extensions of a packet are written; all of them in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// RFC 8285 section 4.2: ids 1 to 14, 1 to 16 bytes each.
    #[default]
    OneByte,
    /// RFC 8285 section 4.3: ids 1 to 255, up to 255 bytes each. Only for who said `a=extmap-allow-mixed`.
    TwoByte,
}

impl Form {
    /// The one that holds an extension; the short one if it can be.
    pub fn of(id: u8, len: usize) -> Self {
        let short = id <= EXTENSION_ID_MAX && (1..=EXTENSION_LEN_MAX).contains(&len);
        if short { Self::OneByte } else { Self::TwoByte }
    }

    /// Bytes in front of each extension.
    pub fn tag_len(self) -> usize {
        match self {
            Self::OneByte => 1,
            Self::TwoByte => 2,
        }
    }

    /// What stands in front of them all.
    fn profile(self) -> u16 {
        match self {
            Self::OneByte => ONE_BYTE_PROFILE,
            Self::TwoByte => TWO_BYTE_PROFILE,
        }
    }

    /// Writes id and length to the front of `place`; what is behind them. `None` if they have no such form.
    fn tag(self, id: u8, len: usize, place: &mut [u8]) -> Option<&mut [u8]> {
        let short = u8::try_from(len).ok().filter(|_| id > 0)?;
        let (tag, rest) = place.split_at_mut_checked(self.tag_len())?;
        match (self, tag) {
            (Self::OneByte, [tag]) => {
                let fine = Self::of(id, len) == Self::OneByte;
                *tag = id << 4 | short.checked_sub(1).filter(|_| fine)?;
            }
            (Self::TwoByte, [first, second]) => [*first, *second] = [id, short],
            _ => return None,
        }
        Some(rest)
    }
}

const VERSION: u8 = 2;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// Bytes in front of all extensions.
const EXTENSIONS_HEAD_LEN: usize = 4;

/// What a header says; where the payload begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// M: its meaning is the payload format's.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Wraps.
    pub sequence_number: u16,
    /// Ticks of the payload's clock; wraps.
    pub timestamp: u32,
    /// The stream.
    pub ssrc: u32,
    /// Bytes of the header with contributing sources and extensions; never beyond the packet that was read.
    pub header_len: usize,
    /// P: the last payload byte says how many bytes of padding there are. Known only after decryption.
    pub has_padding: bool,
}

/// Is this packet RTCP and not RTP, by its second byte (RFC 5761 section 4)? False also for what is neither.
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if first >> 6 == VERSION)
}

/// Reads a header; `None` if it is cut off or not of version 2.
pub fn parse(packet: &[u8]) -> Option<Header> {
    let &[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] =
        packet.first_chunk::<FIXED_LEN>()?;
    if first >> 6 != VERSION {
        return None;
    }
    let mut header_len = FIXED_LEN + 4 * usize::from(first & 0x0f);
    if first & EXTENSION_BIT != 0 {
        let words = wire::u16_at(packet, header_len + 2)?;
        header_len += 4 + 4 * usize::from(words);
    }
    (header_len <= packet.len()).then_some(Header {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7f,
        sequence_number: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        header_len,
        has_padding: first & PADDING_BIT != 0,
    })
}

impl Header {
    /// Where the payload ends without its padding, if `end` is where it ends with it; `None` if the padding
    /// says that it is longer than the payload, or `end` is not in the packet.
    pub fn payload_end(&self, packet: &[u8], end: usize) -> Option<usize> {
        if end < self.header_len || end > packet.len() {
            return None;
        }
        if !self.has_padding {
            return Some(end);
        }
        let padding = usize::from(*packet.get(self.header_len..end)?.last()?);
        let without = end.checked_sub(padding)?;
        (padding > 0 && without >= self.header_len).then_some(without)
    }
}

/// The same as [`Header::payload_end`] where the header is not at hand any more.
pub fn payload_end(packet: &[u8], end: usize) -> Option<usize> {
    parse(packet.get(..end)?)?.payload_end(packet, end)
}

/// The extensions of a packet whose header was read by [`parse`]: id and content, in both forms of RFC 8285.
/// Ends at the first that is broken.
pub fn extensions<'a>(packet: &'a [u8], header: &Header) -> Extensions<'a> {
    let nothing = Extensions { bytes: &[], one_byte: true };
    let Some(&first) = packet.first() else { return nothing };
    if first & EXTENSION_BIT == 0 {
        return nothing;
    }
    let at = FIXED_LEN + 4 * usize::from(first & 0x0f);
    let Some(bytes) = packet.get(at + 4..header.header_len) else { return nothing };
    match wire::u16_at(packet, at) {
        Some(ONE_BYTE_PROFILE) => Extensions { bytes, one_byte: true },
        Some(profile) if profile & 0xfff0 == 0x1000 => Extensions { bytes, one_byte: false },
        _ => nothing,
    }
}

/// Iterator of [`extensions`].
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
    one_byte: bool,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.bytes.split_first()?;
            // A byte of padding between extensions, in both forms.
            if first == 0 {
                self.bytes = rest;
                continue;
            }
            let (id, len, rest) = if self.one_byte {
                (first >> 4, usize::from(first & 0x0f) + 1, rest)
            } else {
                let (&len, rest) = rest.split_first()?;
                (first, usize::from(len), rest)
            };
            // Id 0 with a length, and id 15 of the one-byte form, end everything (RFC 8285 section 4.2).
            if id == 0 || (self.one_byte && id > EXTENSION_ID_MAX) {
                self.bytes = &[];
                return None;
            }
            let Some((content, rest)) = rest.split_at_checked(len) else {
                self.bytes = &[];
                return None;
            };
            self.bytes = rest;
            return Some((id, content));
        }
    }
}

/// A header to write: no contributing sources, no padding (see [`pad`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderOut {
    /// M.
    pub marker: bool,
    /// 0 to 127; the top bit is cut off.
    pub payload_type: u8,
    /// Wraps.
    pub sequence_number: u16,
    /// Ticks.
    pub timestamp: u32,
    /// The stream.
    pub ssrc: u32,
}

/// Bytes that [`write()`] will need with these extensions.
pub fn len(extensions: &[(u8, &[u8])], form: Form) -> usize {
    if extensions.is_empty() {
        return FIXED_LEN;
    }
    let each = extensions.iter().map(|(_, content)| form.tag_len() + content.len());
    FIXED_LEN + EXTENSIONS_HEAD_LEN + each.sum::<usize>().next_multiple_of(4)
}

/// Writes a header with these extensions to the front of `out`; answers its length. `None`, with `out` partly
/// written, if it does not fit or an extension has no such form.
pub fn write(
    header: &HeaderOut,
    extensions: &[(u8, &[u8])],
    form: Form,
    out: &mut [u8],
) -> Option<usize> {
    let header_len = len(extensions, form);
    let (fixed, rest) = out.get_mut(..header_len)?.split_first_chunk_mut::<FIXED_LEN>()?;
    let [s0, s1] = header.sequence_number.to_be_bytes();
    let [t0, t1, t2, t3] = header.timestamp.to_be_bytes();
    let [c0, c1, c2, c3] = header.ssrc.to_be_bytes();
    let first = VERSION << 6 | if extensions.is_empty() { 0 } else { EXTENSION_BIT };
    let second = u8::from(header.marker) << 7 | header.payload_type & 0x7f;
    *fixed = [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
    if extensions.is_empty() {
        return Some(header_len);
    }
    let (head, mut rest) = rest.split_first_chunk_mut::<EXTENSIONS_HEAD_LEN>()?;
    *head = extensions_head(form, rest.len())?;
    for &(id, content) in extensions {
        let (place, after) =
            form.tag(id, content.len(), rest)?.split_at_mut_checked(content.len())?;
        place.copy_from_slice(content);
        rest = after;
    }
    rest.fill(0);
    Some(header_len)
}

fn extensions_head(form: Form, len: usize) -> Option<[u8; EXTENSIONS_HEAD_LEN]> {
    let [p0, p1] = form.profile().to_be_bytes();
    let [w0, w1] = u16::try_from(len / 4).ok()?.to_be_bytes();
    Some([p0, p1, w0, w1])
}

/// Bytes of a header whose extensions end at `end` (or which has none and ends there) with one more behind them.
pub fn len_with(end: usize, form: Form, content_len: usize) -> usize {
    let first = FIXED_LEN + EXTENSIONS_HEAD_LEN;
    first + (end.max(first) - first + form.tag_len() + content_len).next_multiple_of(4)
}

/// Adds an extension to a header that [`write()`] wrote in this form without contributing sources, and whose
/// extensions end at `end` (12 if it has none); answers the place of its content, to be filled. The header then has
/// [`len_with`] bytes. `None` if that does not fit, or it has no such form.
pub fn append(
    packet: &mut [u8],
    end: usize,
    form: Form,
    id: u8,
    content_len: usize,
) -> Option<&mut [u8]> {
    let first = FIXED_LEN + EXTENSIONS_HEAD_LEN;
    let header_len = len_with(end, form, content_len);
    let packet = packet.get_mut(..header_len)?;
    *packet.first_mut()? |= EXTENSION_BIT;
    let head = extensions_head(form, header_len - first)?;
    *packet.get_mut(FIXED_LEN..)?.first_chunk_mut()? = head;
    let rest = form.tag(id, content_len, packet.get_mut(end.max(first)..)?)?;
    let (content, padding) = rest.split_at_mut_checked(content_len)?;
    padding.fill(0);
    Some(content)
}

/// Makes everything of `packet` behind `payload_end` into padding (RFC 3550 section 5.1), and says so in
/// the header. False, with nothing changed, unless that is 1 to 255 bytes behind a header.
pub fn pad(packet: &mut [u8], payload_end: usize) -> bool {
    if payload_end < FIXED_LEN {
        return false;
    }
    let Some(len) = packet.len().checked_sub(payload_end) else { return false };
    let Ok(count @ 1..) = u8::try_from(len) else { return false };
    let Some((last, zeros)) = packet.get_mut(payload_end..).and_then(<[u8]>::split_last_mut) else {
        return false;
    };
    zeros.fill(0);
    *last = count;
    if let Some(first) = packet.first_mut() {
        *first |= PADDING_BIT;
    }
    true
}

#[cfg(test)]
mod tests;
