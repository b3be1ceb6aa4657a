//! The last packets of a track in the clear, one ring for each layer, from which everything is sent.

use fermata_rtp::ring::{Meta, PacketRing};
use fermata_transport::{DependencyOut, MediaKind, RtpIn, RtpOut};

use super::Entry;
use crate::forward::{LAYERS_MAX, RtpView};

/// The rings of a track; each is made at its first packet.
#[derive(Debug, Default)]
pub(crate) struct Rings([Option<PacketRing>; LAYERS_MAX]);

impl Rings {
    /// Takes a packet. One that is there already, or far too old, is not taken; then nobody finds it.
    pub(super) fn push(&mut self, kind: MediaKind, view: &RtpView, rtp: &RtpIn<'_>) {
        let Some(ring) = self.0.get_mut(usize::from(view.layer.0)) else { return };
        let ring = ring.get_or_insert_with(|| match kind {
            MediaKind::Audio => PacketRing::audio(),
            MediaKind::Video => PacketRing::video(),
        });
        let meta = Meta {
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            arrived: rtp.arrived,
            audio_level_db: rtp.audio_level_db,
            voice_activity: rtp.voice_activity,
            targets: view.dependency.map_or(0, |frame| frame.target_count),
        };
        // Refused ones are found missing, and counted, when they are to be sent.
        let _ = ring.push_with(rtp.seq, rtp.dependency.unwrap_or_default(), rtp.payload, meta);
    }

    /// Is the packet of an entry still there?
    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.packet(entry, 0).is_some()
    }

    /// The packet of an entry as it goes out, if it is still there.
    pub(super) fn packet(&self, entry: &Entry, seq: u64) -> Option<RtpOut<'_>> {
        let ring = self.0.get(usize::from(entry.layer().0))?.as_ref()?;
        let stored = ring.get(whole(ring.newest()?, entry.source()))?;
        let payload = if entry.primary() {
            red_primary(stored.payload).unwrap_or_default()
        } else {
            stored.payload
        };
        let dependency = (!stored.dependency.is_empty()).then_some(DependencyOut {
            descriptor: stored.dependency,
            targets: stored.meta.targets,
            rewrite: entry.dependency(),
        });
        Some(RtpOut {
            codec: entry.codec(),
            seq,
            timestamp: entry.timestamp(),
            marker: entry.marker(),
            payload,
            vp8: entry.vp8(),
            dependency,
            audio_level_db: stored.meta.audio_level_db,
            voice_activity: stored.meta.voice_activity,
            at: stored.meta.arrived,
        })
    }
}

/// The number nearest to `newest` that has these low bits.
fn whole(newest: u64, low: u32) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "low bits are meant")]
    let behind = (newest as u32).wrapping_sub(low).cast_signed();
    newest.wrapping_sub(i64::from(behind).cast_unsigned())
}

/// The newest block of a redundant audio payload (RFC 2198 section 3): what is left once
/// the older ones, whose lengths stand in the headers, are taken away.
pub(super) fn red_primary(payload: &[u8]) -> Option<&[u8]> {
    let mut rest = payload;
    let mut older = 0;
    loop {
        match rest {
            [first, tail @ ..] if first & 0x80 == 0 => return tail.get(older..),
            [_, _, high, low, tail @ ..] => {
                older += usize::from(u16::from_be_bytes([high & 0x03, *low]));
                rest = tail;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use fermata_transport::{Codec, Mid};
    use fermata_types::Now;

    use super::*;
    use crate::forward::{LayerIndex, PacketIn, Sending, UpTrack};

    #[test]
    fn numbers_are_made_whole_again() {
        for (newest, source) in [
            (5_u64, 5_u64),
            (1 << 32, (1 << 32) - 1),
            ((1 << 32) - 1, 1 << 32),
            (0x1_8000_0000, 0x1_7fff_ff00),
            ((1 << 40) + 3, (1 << 40) - 7),
        ] {
            #[expect(clippy::cast_possible_truncation, reason = "low bits are meant")]
            let low = source as u32;
            assert_eq!(whole(newest, low), source);
        }
    }

    #[test]
    fn redundant_audio_can_go_out_plain() {
        let payload = [0xEF, 0, 0, 2, 111, 9, 9, 1, 2, 3];
        let rtp = RtpIn {
            mid: Mid::from("0"),
            rid: None,
            codec: Codec::Red,
            seq: 77,
            timestamp: 960,
            marker: false,
            payload: &payload,
            dependency: None,
            arrived: Now::read().instant,
            audio_level_db: Some(-20),
            voice_activity: None,
        };
        let mut rings = Rings::default();
        let mut up = UpTrack::new(Codec::Red, &[], &[], false);
        let packet = PacketIn {
            rid: None,
            seq: rtp.seq,
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            payload: &payload,
            dependency: None,
            arrived: rtp.arrived,
        };
        let view = up.receive(&packet).expect("its only layer");
        rings.push(MediaKind::Audio, &view, &rtp);
        let sending = Sending { seq: 3, timestamp: 5, marker: true, vp8: None, dependency: None };
        for (codec, primary, expected) in
            [(Codec::Red, false, &payload[..]), (Codec::Opus, true, &[1, 2, 3])]
        {
            let entry = Entry::new(77, LayerIndex(0), codec, primary, &sending);
            let out = rings.packet(&entry, 3).expect("there");
            assert_eq!((out.payload, out.codec, out.seq), (expected, codec, 3));
            assert_eq!((out.timestamp, out.marker, out.at), (5, true, rtp.arrived));
            assert_eq!(out.audio_level_db, Some(-20));
        }
        let entry = Entry::new(78, LayerIndex(0), Codec::Red, false, &sending);
        assert!(rings.packet(&entry, 3).is_none() && !rings.has(&entry));
    }

    #[test]
    fn the_primary_block_is_what_the_headers_leave() {
        let rows: [(&[u8], Option<&[u8]>); 5] = [
            (&[111, 1, 2, 3], Some(&[1, 2, 3])),
            (&[0xEF, 0, 0, 2, 111, 9, 9, 1, 2, 3], Some(&[1, 2, 3])),
            (&[0xEF, 0, 0, 9, 111, 9, 9, 1], None),
            (&[0xEF, 0], None),
            (&[], None),
        ];
        for (payload, primary) in rows {
            assert_eq!(red_primary(payload), primary, "{payload:?}");
        }
    }
}
