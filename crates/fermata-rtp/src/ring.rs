//! The last packets of one layer in the clear: every retransmission to every subscriber is made from here.
//!
//! Payloads stand one behind the other in a byte store that goes round, in the order of their arrival; a
//! table of slots, by sequence number, says where. A payload is gone once the store has gone round over it or
//! its slot was taken by a newer packet; both are checked by the full sequence number, so a wrong one is never
//! given out.
//! What it is not: it orders nothing and waits for nothing.
//!
//! Memory: nothing before the first packet. Then the slots at once, and a byte store that doubles up to a limit
//! while what would be overwritten is younger than [`RING_KEPT_MIN`].

use std::time::Instant;

use crate::limits::{
    RING_AUDIO_BYTES, RING_AUDIO_SLOTS, RING_KEPT_MIN, RING_PAYLOAD_LEN_MAX, RING_VIDEO_BYTES,
    RING_VIDEO_SLOTS,
};

/// What is kept with a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// When the datagram came.
    pub arrived: Instant,
    /// Audio level, -127 to 0 dBov (RFC 6464).
    pub audio_level_db: Option<i8>,
    /// The sender's voice activity flag (RFC 6464).
    pub voice_activity: Option<bool>,
    /// Decode targets of the stream, 1 to 32, where a dependency descriptor came with it; else 0.
    pub targets: u8,
}

/// A packet out of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Extended sequence number.
    pub seq: u64,
    /// What was kept with it.
    pub meta: Meta,
    /// The dependency descriptor that came with it; empty if there was none.
    pub dependency: &'a [u8],
    /// The payload in the clear.
    pub payload: &'a [u8],
}

/// Why a packet was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Longer than [`RING_PAYLOAD_LEN_MAX`].
    #[error("a payload of {len} bytes; a ring takes at most 1,500")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// So far behind the newest that its slot belongs to a newer one.
    #[error("packet {seq} is too far behind the newest, {newest}")]
    TooOld {
        /// Its sequence number.
        seq: u64,
        /// The highest so far.
        newest: u64,
    },
    /// It is there already.
    #[error("packet {seq} is there already")]
    Duplicate {
        /// Its sequence number.
        seq: u64,
    },
}

/// Where a payload is.
#[derive(Debug, Clone, Copy)]
struct Slot {
    seq: u64,
    /// Its number in the order of arrival, from 1.
    push: u64,
    /// Bytes written to the store before it, gaps included.
    at: u64,
    /// Of the descriptor, which stands in front of the payload.
    dependency_len: u8,
    /// Of both.
    len: u16,
    meta: Meta,
}

/// The ring of one layer.
#[derive(Debug)]
pub struct PacketRing {
    slots_max: usize,
    bytes_first: usize,
    bytes_max: usize,
    slots: Vec<Option<Slot>>,
    /// Slot of a packet by its number in the order of arrival.
    order: Vec<u16>,
    bytes: Vec<u8>,
    /// Bytes written, gaps included.
    head: u64,
    /// Packets taken.
    pushes: u64,
    /// Number of the first packet, by arrival, that may not be overwritten yet.
    oldest: u64,
    newest: Option<u64>,
    refused: u64,
    lost_young: u64,
}

impl PacketRing {
    /// For a layer of video: 512 packets, 64 KiB to 2 MiB.
    pub fn video() -> Self {
        Self::new(RING_VIDEO_SLOTS, RING_VIDEO_BYTES)
    }

    /// For audio: 64 packets, 8 to 128 KiB.
    pub fn audio() -> Self {
        Self::new(RING_AUDIO_SLOTS, RING_AUDIO_BYTES)
    }

    /// All three are powers of two.
    fn new(slots_max: usize, (bytes_first, bytes_max): (usize, usize)) -> Self {
        Self {
            slots_max,
            bytes_first,
            bytes_max,
            slots: Vec::new(),
            order: Vec::new(),
            bytes: Vec::new(),
            head: 0,
            pushes: 0,
            oldest: 1,
            newest: None,
            refused: 0,
            lost_young: 0,
        }
    }

    /// Takes a packet, also out of order. Refused ones are counted and change nothing.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn push(&mut self, seq: u64, payload: &[u8], meta: Meta) -> Result<(), Refused> {
        self.push_with(seq, &[], payload, meta)
    }

    /// The same with a dependency descriptor; one longer than the wire allows is left out.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn push_with(
        &mut self,
        seq: u64,
        dependency: &[u8],
        payload: &[u8],
        meta: Meta,
    ) -> Result<(), Refused> {
        let dependency_len = u8::try_from(dependency.len()).unwrap_or(0);
        let dependency = dependency.get(..dependency_len.into()).unwrap_or_default();
        let whole_len = dependency.len() + payload.len();
        let len = u16::try_from(whole_len).ok().filter(|_| payload.len() <= RING_PAYLOAD_LEN_MAX);
        let Some(len) = len else {
            self.refused += 1;
            return Err(Refused::TooLong { len: payload.len() });
        };
        let newest = self.newest.unwrap_or(seq);
        if newest.saturating_sub(seq) >= self.slots_max as u64 {
            self.refused += 1;
            return Err(Refused::TooOld { seq, newest });
        }
        if self.get(seq).is_some() {
            self.refused += 1;
            return Err(Refused::Duplicate { seq });
        }
        if self.bytes.is_empty() {
            self.slots = vec![None; self.slots_max];
            self.order = vec![0; self.slots_max];
            self.bytes = vec![0; self.bytes_first];
        }
        let at = self.make_room(whole_len, meta.arrived);
        let start = self.offset(at);
        let place = self.bytes.get_mut(start..start + whole_len);
        if let Some((before, place)) = place.and_then(|p| p.split_at_mut_checked(dependency.len()))
        {
            before.copy_from_slice(dependency);
            place.copy_from_slice(payload);
        }
        self.head = at + u64::from(len);
        self.pushes += 1;
        let index = self.index(seq);
        let in_order = self.order_index(self.pushes);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Slot { seq, push: self.pushes, at, dependency_len, len, meta });
        }
        if let Some(place) = self.order.get_mut(in_order) {
            *place = u16::try_from(index).unwrap_or(0);
        }
        self.newest = Some(newest.max(seq));
        Ok(())
    }

    /// The packet with this extended sequence number, if it is still there.
    pub fn get(&self, seq: u64) -> Option<Stored<'_>> {
        let slot = self.slots.get(self.index(seq))?.as_ref().filter(|slot| slot.seq == seq)?;
        if slot.at + (self.bytes.len() as u64) < self.head {
            return None;
        }
        let start = self.offset(slot.at);
        let whole = self.bytes.get(start..start + usize::from(slot.len))?;
        let (dependency, payload) = whole.split_at_checked(slot.dependency_len.into())?;
        Some(Stored { seq, meta: slot.meta, dependency, payload })
    }

    /// Highest sequence number so far.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Bytes of the store now.
    pub fn bytes_capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Packets refused since the beginning.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Packets that were overwritten by bytes before they were [`RING_KEPT_MIN`] old: the store is at its limit.
    pub fn lost_young(&self) -> u64 {
        self.lost_young
    }

    /// Forgets all packets; memory stays.
    pub fn clear(&mut self) {
        self.slots.fill(None);
        self.oldest = self.pushes + 1;
        self.newest = None;
    }

    fn index(&self, seq: u64) -> usize {
        usize::try_from(seq & (self.slots_max as u64 - 1)).unwrap_or(0)
    }

    fn order_index(&self, push: u64) -> usize {
        usize::try_from(push & (self.slots_max as u64 - 1)).unwrap_or(0)
    }

    fn offset(&self, at: u64) -> usize {
        usize::try_from(at & (self.bytes.len() as u64).wrapping_sub(1)).unwrap_or(0)
    }

    /// Where `len` bytes in one piece go; grows the store rather than overwriting what is young.
    fn make_room(&mut self, len: usize, now: Instant) -> u64 {
        loop {
            let capacity = self.bytes.len() as u64;
            let into = self.offset(self.head) as u64;
            // A payload is never cut in two: what is too short at the end of the store stays unused.
            let gap = if into + len as u64 > capacity { capacity - into } else { 0 };
            let at = self.head + gap;
            let kept_from = (at + len as u64).saturating_sub(capacity);
            if !self.let_go(kept_from, now) {
                return at;
            }
            self.grow();
        }
    }

    /// Gives up packets, oldest first, that stand before `kept_from`. True if that stopped at a young one,
    /// for which the store should grow.
    fn let_go(&mut self, kept_from: u64, now: Instant) -> bool {
        // Only so many arrivals are remembered, and older ones have lost their slots.
        self.oldest = self.oldest.max((self.pushes + 1).saturating_sub(self.slots_max as u64));
        while self.oldest <= self.pushes {
            if let Some(slot) = self.by_arrival(self.oldest) {
                if slot.at >= kept_from {
                    return false;
                }
                let age = now.saturating_duration_since(slot.meta.arrived);
                if age < RING_KEPT_MIN {
                    if self.bytes.len() < self.bytes_max {
                        return true;
                    }
                    self.lost_young += 1;
                }
            }
            self.oldest += 1;
        }
        false
    }

    /// The packet of that number in the order of arrival, unless a newer one has its slot.
    fn by_arrival(&self, push: u64) -> Option<&Slot> {
        let index = usize::from(*self.order.get(self.order_index(push))?);
        self.slots.get(index)?.as_ref().filter(|slot| slot.push == push)
    }

    /// Twice the bytes; what is kept is written anew, oldest first.
    fn grow(&mut self) {
        let mut bytes = vec![0; (self.bytes.len() * 2).min(self.bytes_max)];
        let mut head = 0;
        for push in self.oldest..=self.pushes {
            let Some(slot) = self.by_arrival(push).copied() else { continue };
            let len = usize::from(slot.len);
            let from = self.offset(slot.at);
            let source = self.bytes.get(from..from + len);
            if let (Some(source), Some(place)) = (source, bytes.get_mut(head..head + len)) {
                place.copy_from_slice(source);
            }
            let index = self.index(slot.seq);
            if let Some(Some(moved)) = self.slots.get_mut(index) {
                moved.at = head as u64;
            }
            head += len;
        }
        // Those before the oldest have been overwritten; their places mean nothing in the new store.
        let oldest = self.oldest;
        for slot in &mut self.slots {
            *slot = slot.filter(|slot| slot.push >= oldest);
        }
        self.bytes = bytes;
        self.head = head as u64;
    }
}

#[cfg(test)]
mod tests;
