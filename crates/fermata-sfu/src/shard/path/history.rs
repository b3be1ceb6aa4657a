//! What went out on one section lately, by its outgoing sequence number.

use super::Entry;
use crate::limits::HISTORY_LEN;

/// A fixed ring of entries, made at the first one.
#[derive(Debug, Default)]
pub(crate) struct History(Option<Box<[Entry]>>);

/// Place and round of a sequence number.
fn place(seq: u64) -> (usize, u16) {
    let len = HISTORY_LEN as u64;
    #[expect(clippy::cast_possible_truncation, reason = "low bits are meant")]
    let (place, round) = ((seq % len) as usize, (seq / len) as u16);
    (place, round)
}

impl History {
    /// Remembers what went out, in the place of what went out [`HISTORY_LEN`] packets ago.
    pub(crate) fn put(&mut self, seq: u64, entry: Entry) {
        let entries =
            self.0.get_or_insert_with(|| vec![Entry::default(); HISTORY_LEN].into_boxed_slice());
        let (place, round) = place(seq);
        if let Some(slot) = entries.get_mut(place) {
            *slot = entry.in_round(round);
        }
    }

    /// What went out under a number, if it is still known. A number that is wrong by a multiple of
    /// 128 times the length finds another packet; the transport gives only numbers near the last one.
    pub(crate) fn find(&mut self, seq: u64) -> Option<&mut Entry> {
        let (place, round) = place(seq);
        self.0.as_mut()?.get_mut(place).filter(|entry| entry.is_of_round(round))
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use fermata_rtp::dependency::Rewrite;
    use fermata_rtp::vp8::Numbers;
    use fermata_transport::Codec;

    use super::*;
    use crate::forward::{LayerIndex, Sending};

    fn entry(source: u64) -> Entry {
        let sending = Sending { seq: 0, timestamp: 7, marker: true, vp8: None, dependency: None };
        Entry::new(source, LayerIndex(2), Codec::H264, false, &sending)
    }

    #[test]
    fn an_entry_is_16_bytes_and_keeps_what_it_is_given() {
        assert_eq!(size_of::<Entry>(), 16);
        for codec in Codec::ALL {
            for (layer, marker, primary) in [(0, false, true), (1, true, false), (2, true, true)] {
                let numbers =
                    Numbers { picture_id: Some(0x7abc), tl0_pic_idx: Some(200), key_idx: Some(31) };
                let vp8 = (*codec == Codec::Vp8).then_some(numbers);
                let rewrite = Rewrite { number: 0xfedc, active: 0xa1b2 };
                let dependency = (*codec != Codec::Vp8).then_some(rewrite);
                let sending = Sending { seq: 9, timestamp: u32::MAX - 3, marker, vp8, dependency };
                let layer = LayerIndex(layer);
                let entry =
                    Entry::new(0x1_2345_6789, layer, *codec, primary, &sending).in_round(0x1ff);
                assert_eq!((entry.source(), entry.timestamp()), (0x2345_6789, u32::MAX - 3));
                assert_eq!((entry.layer(), entry.codec()), (layer, *codec));
                assert_eq!((entry.marker(), entry.primary(), entry.vp8()), (marker, primary, vp8));
                assert!(dependency.is_none_or(|rewrite| entry.dependency() == rewrite));
            }
        }
    }

    #[test]
    fn what_went_out_is_found_until_others_take_its_place() {
        let mut history = History::default();
        assert!(history.find(0).is_none());
        let len = HISTORY_LEN as u64;
        for seq in (1_000..1_000 + len).filter(|seq| *seq != 1_007) {
            history.put(seq, entry(seq));
        }
        assert!(history.find(1_007).is_none(), "its number was kept for it");
        assert!(history.find(999).is_none() && history.find(1_000 + len).is_none());
        assert_eq!(history.find(1_000).map(|entry| entry.source()), Some(1_000));
        history.put(1_000 + len, entry(5));
        assert!(history.find(1_000).is_none());
        assert_eq!(history.find(1_000 + len).map(|entry| entry.source()), Some(5));
        history.clear();
        assert!(history.find(1_001).is_none());
    }

    #[test]
    fn a_retransmission_is_remembered_for_a_while() {
        let mut entry = entry(1);
        assert!(!entry.sent_again_within(0, 20) && !entry.sent_again_within(9, u16::MAX));
        entry.note_again(65_530);
        assert!(entry.sent_again_within(65_530, 20) && entry.sent_again_within(5, 20));
        assert!(!entry.sent_again_within(20, 20));
        entry.note_again(0);
        assert!(entry.sent_again_within(2, 20));
    }
}
