//! Synthetic media: packets that look like Opus and VP8 from outside and carry a stamp for measuring.
//!
//! Not codecs: nothing here can be decoded to sound or pictures.

/// Length of a [`Stamp`] at the end of every payload, bytes.
const STAMP_LEN: usize = 16;
/// Marks a stamp.
const MAGIC: [u8; 4] = *b"FMT\x01";
/// Opus TOC byte (RFC 6716 section 3.1): CELT fullband, 20 ms, mono, one frame.
const OPUS_TOC: u8 = 31 << 3;
/// VP8 payload descriptor as written here (RFC 7741 section 4.2): X; I L T K; 15-bit picture id, TL0PICIDX, TID/KEYIDX.
const VP8_DESCRIPTOR_LEN: usize = 6;
/// VP8 frame tag (RFC 6386 section 9.1) with start code and size, as in a keyframe.
const VP8_KEY_HEADER_LEN: usize = 10;

/// When a packet was sent and which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Counts the packets of a track and layer, from 0.
    pub counter: u32,
    /// Wall clock of the sender, microseconds since the Unix epoch.
    pub sent_us: u64,
}

impl Stamp {
    fn write(self, payload: &mut Vec<u8>) {
        payload.extend(MAGIC);
        payload.extend(self.counter.to_be_bytes());
        payload.extend(self.sent_us.to_be_bytes());
    }

    /// The stamp at the end of a payload, if it is one of ours.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let at = payload.len().checked_sub(STAMP_LEN)?;
        let rest = payload.get(at..)?.strip_prefix(&MAGIC)?;
        let (counter, sent) = rest.split_first_chunk::<4>()?;
        let sent = sent.first_chunk::<8>()?;
        Some(Self { counter: u32::from_be_bytes(*counter), sent_us: u64::from_be_bytes(*sent) })
    }
}

/// A data message of `len` bytes, or as many as the stamp needs.
pub fn message(stamp: Stamp, len: usize) -> Vec<u8> {
    let mut message = vec![0x33; len.saturating_sub(STAMP_LEN)];
    stamp.write(&mut message);
    message
}

/// One audio packet of about `len` bytes.
pub fn opus(stamp: Stamp, len: usize) -> Vec<u8> {
    let mut payload = vec![OPUS_TOC];
    payload.resize(len.max(1 + STAMP_LEN) - STAMP_LEN, 0x55);
    stamp.write(&mut payload);
    payload
}

/// What the VP8 payload descriptor of one packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8 {
    /// First packet of the frame.
    pub start: bool,
    /// Keyframe with its width and height in pixels; only known on the first packet.
    pub keyframe: Option<(u16, u16)>,
    /// Picture id, 7 or 15 bits.
    pub picture_id: Option<u16>,
    /// Running index of base-layer frames.
    pub tl0_pic_idx: Option<u8>,
    /// Temporal layer.
    pub temporal_id: Option<u8>,
}

/// One packet of a frame. `index` is its place in the frame, from 0; `len` about its size in bytes.
pub fn vp8(frame: &Vp8Frame, index: usize, stamp: Stamp, len: usize) -> Vec<u8> {
    let mut payload = vec![0x80 | if index == 0 { 0x10 } else { 0 }, 0xF0];
    payload.extend((frame.picture_id | 0x8000).to_be_bytes());
    payload.push(frame.tl0_pic_idx);
    // Temporal layer 0, layer sync, key index.
    payload.push(0x20 | (frame.key_idx & 0x1F));
    if index == 0 {
        match frame.keyframe {
            Some((width, height)) => {
                // Show frame, version 0, P bit clear.
                payload.extend([0x10, 0, 0, 0x9D, 0x01, 0x2A]);
                payload.extend((width & 0x3FFF).to_le_bytes());
                payload.extend((height & 0x3FFF).to_le_bytes());
            }
            None => payload.extend([0x11, 0, 0]),
        }
    }
    let body = len.max(payload.len() + STAMP_LEN) - STAMP_LEN;
    payload.resize(body, 0xAA);
    stamp.write(&mut payload);
    payload
}

/// What all packets of one frame share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp8Frame {
    /// Width and height of a keyframe, at most 16,383 each; `None` for a delta frame.
    pub keyframe: Option<(u16, u16)>,
    /// Picture id, 15 bits.
    pub picture_id: u16,
    /// Running index of base-layer frames.
    pub tl0_pic_idx: u8,
    /// Keyframe index, 5 bits.
    pub key_idx: u8,
}

/// Reads the descriptor and the start of a frame; `None` if the payload is too short for what it says.
pub fn read_vp8(payload: &[u8]) -> Option<Vp8> {
    let (&first, mut rest) = payload.split_first()?;
    let mut read = Vp8 {
        start: first & 0x17 == 0x10,
        keyframe: None,
        picture_id: None,
        tl0_pic_idx: None,
        temporal_id: None,
    };
    if first & 0x80 != 0 {
        let (&extensions, tail) = rest.split_first()?;
        rest = tail;
        if extensions & 0x80 != 0 {
            let (&high, tail) = rest.split_first()?;
            rest = tail;
            let mut picture_id = u16::from(high & 0x7F);
            if high & 0x80 != 0 {
                let (&low, tail) = rest.split_first()?;
                rest = tail;
                picture_id = picture_id << 8 | u16::from(low);
            }
            read.picture_id = Some(picture_id);
        }
        if extensions & 0x40 != 0 {
            let (&index, tail) = rest.split_first()?;
            rest = tail;
            read.tl0_pic_idx = Some(index);
        }
        if extensions & 0x30 != 0 {
            let (&layer, tail) = rest.split_first()?;
            rest = tail;
            read.temporal_id = (extensions & 0x20 != 0).then_some(layer >> 6);
        }
    }
    if read.start && rest.first()? & 1 == 0 {
        let size = rest.get(6..VP8_KEY_HEADER_LEN)?;
        let field =
            |at: usize| Some(u16::from_le_bytes([*size.get(at)?, *size.get(at + 1)?]) & 0x3FFF);
        read.keyframe = Some((field(0)?, field(2)?));
    }
    Some(read)
}

/// Smallest length of a video packet, bytes.
pub const VP8_LEN_MIN: usize = VP8_DESCRIPTOR_LEN + VP8_KEY_HEADER_LEN + STAMP_LEN;

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { counter: 7, sent_us: 1_700_000_000_000_000 };

    #[test]
    fn what_is_written_reads_back() {
        for (keyframe, index) in
            [(Some((640, 360)), 0), (Some((640, 360)), 1), (None, 0), (None, 3)]
        {
            let frame = Vp8Frame { keyframe, picture_id: 0x1234, tl0_pic_idx: 200, key_idx: 9 };
            for len in [0, 40, 1_100] {
                let payload = vp8(&frame, index, STAMP, len);
                assert!(payload.len() >= len);
                assert_eq!(Stamp::read(&payload), Some(STAMP));
                let read = read_vp8(&payload).unwrap();
                assert_eq!(read.start, index == 0);
                assert_eq!(read.keyframe, keyframe.filter(|_| index == 0));
                assert_eq!((read.picture_id, read.tl0_pic_idx), (Some(0x1234), Some(200)));
                assert_eq!(read.temporal_id, Some(0));
            }
        }
        assert_eq!(Stamp::read(&opus(STAMP, 80)), Some(STAMP));
        assert_eq!(opus(STAMP, 80).len(), 80);
    }

    #[test]
    fn short_payloads_are_nothing() {
        let frame = Vp8Frame { keyframe: Some((1, 1)), picture_id: 1, tl0_pic_idx: 1, key_idx: 1 };
        let payload = vp8(&frame, 0, STAMP, 0);
        for len in 0..VP8_DESCRIPTOR_LEN + VP8_KEY_HEADER_LEN {
            assert_eq!(read_vp8(&payload[..len]), None, "{len}");
        }
        assert_eq!(Stamp::read(b"short"), None);
        assert_eq!(Stamp::read(&[0; 40]), None);
    }
}
