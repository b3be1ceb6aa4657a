//! What waits to go out on one connection: three lanes, and how much of them may go now.
//!
//! Audio goes at once. Retransmissions and video are paced, each in its own lane: at most so many a tick, and on a path
//! that was found to be narrow, together at most so many bytes.

use std::collections::VecDeque;

use fermata_transport::SendSlot;
use fermata_transport::egress::SEGMENTS_MAX;

use super::Entry;
use crate::key::TrackId;
use crate::limits::{
    AGAIN_CREDIT_FIRST, AGAIN_CREDIT_MAX, AGAIN_PER_TICK, AGAIN_SHARE, AGAIN_WAITING_MAX,
    AUDIO_WAITING_MAX, CATCH_UP_TICKS, PACE_BURST_TICKS, PACE_PACKET_LEN, PACE_TICK,
    PACE_WAIT_SECONDS_MAX, VIDEO_WAITING_MAX,
};

/// One packet that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    /// Of which track.
    pub(super) track: TrackId,
    /// Outgoing sequence number.
    pub(super) seq: u64,
    /// How it goes out.
    pub(super) entry: Entry,
}

/// In the order in which they are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Audio,
    /// Retransmissions.
    Again,
    Video,
}

impl Lane {
    pub(super) const ALL: [Self; 3] = [Self::Audio, Self::Again, Self::Video];
}

/// Where the packets of some tracks go out, so that it needs not be looked up at the subscriptions, which are far away.
#[derive(Debug)]
struct Slots<S> {
    /// Of what was negotiated; see [`crate::link::Link::version`].
    version: u64,
    /// By track; whoever comes later takes the place.
    known: [Option<(TrackId, S)>; SLOTS],
}

/// Tracks whose slots are remembered, a power of two.
const SLOTS: usize = 16;

impl<S> Default for Slots<S> {
    fn default() -> Self {
        Self { version: 0, known: [const { None }; SLOTS] }
    }
}

impl<S: Copy> Slots<S> {
    fn place(track: TrackId) -> usize {
        usize::try_from(track.0 % SLOTS as u64).unwrap_or(0)
    }

    fn find(&self, version: u64, track: TrackId) -> Option<S> {
        let (known, slot) = self.known.get(Self::place(track)).copied().flatten()?;
        (known == track && self.version == version).then_some(slot)
    }

    fn note(&mut self, version: u64, track: TrackId, slot: S) {
        if self.version != version {
            *self = Self { version, ..Self::default() };
        }
        if let Some(place) = self.known.get_mut(Self::place(track)) {
            *place = Some((track, slot));
        }
    }

    fn forget(&mut self, track: TrackId) {
        let place = self.known.get_mut(Self::place(track));
        if let Some(place) = place.filter(|place| place.is_some_and(|(known, _)| known == track)) {
            *place = None;
        }
    }
}

/// How fast packets go out on a path that was found to be narrow.
#[derive(Debug, Clone, Copy)]
struct Pace {
    bps: u64,
    /// Bytes that may go; less than nothing after a packet that was longer.
    credit: i64,
}

impl Pace {
    /// Bytes that a rate gives in so many ticks.
    fn earn(bps: u64, ticks: u64) -> i64 {
        let micros = u64::from(PACE_TICK.subsec_micros()).saturating_mul(ticks);
        i64::try_from(bps.saturating_mul(micros) / 8_000_000).unwrap_or(i64::MAX)
    }

    /// A tick of the shard; nobody waits longer than [`PACE_WAIT_SECONDS_MAX`] behind so many packets.
    fn begin(&mut self, ticks: u64, waiting: usize) {
        let waiting_bits = waiting * PACE_PACKET_LEN * 8;
        let waiting_bps = u64::try_from(waiting_bits / PACE_WAIT_SECONDS_MAX).unwrap_or(u64::MAX);
        let bps = self.bps.max(waiting_bps);
        let most = Self::earn(bps, PACE_BURST_TICKS).max(1);
        self.credit = self.credit.saturating_add(Self::earn(bps, ticks)).min(most);
    }
}

/// The lanes of one connection.
#[derive(Debug)]
pub(crate) struct Outgoing {
    audio: VecDeque<Item>,
    again: VecDeque<Item>,
    video: VecDeque<Item>,
    /// Tick of the shard in which it was served last, and what may still go in it.
    tick: u64,
    video_left: usize,
    again_left: usize,
    pace: Option<Pace>,
    /// Something was left over when it was served last.
    held: bool,
    /// Retransmissions that may still be queued, in parts of [`AGAIN_SHARE`].
    credit: u32,
    /// It is among those to be served now.
    pub(super) ready: bool,
    /// Tick after which it is to be served again.
    pub(super) waits_for: Option<u64>,
    slots: Slots<SendSlot>,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self {
            audio: VecDeque::new(),
            again: VecDeque::new(),
            video: VecDeque::new(),
            tick: 0,
            video_left: SEGMENTS_MAX,
            again_left: AGAIN_PER_TICK,
            pace: None,
            held: false,
            credit: AGAIN_CREDIT_FIRST * AGAIN_SHARE,
            ready: false,
            waits_for: None,
            slots: Slots::default(),
        }
    }
}

impl Outgoing {
    /// Queues audio; false if there is no room.
    pub(super) fn push_audio(&mut self, item: Item) -> bool {
        let room = self.audio.len() < AUDIO_WAITING_MAX;
        if room {
            self.audio.push_back(item);
        }
        room
    }

    /// Is there no room for more video?
    pub(super) fn is_video_full(&self) -> bool {
        self.video.len() >= VIDEO_WAITING_MAX
    }

    /// Queues video; false if there is no room.
    pub(super) fn push_video(&mut self, item: Item) -> bool {
        let room = !self.is_video_full();
        if room {
            self.video.push_back(item);
        }
        room
    }

    /// Queues a retransmission; false if there is no room, or there were too many for what was sent.
    pub(super) fn push_again(&mut self, item: Item) -> bool {
        let room = self.again.len() < AGAIN_WAITING_MAX && self.credit >= AGAIN_SHARE;
        if room {
            self.credit -= AGAIN_SHARE;
            self.again.push_back(item);
        }
        room
    }

    /// From now on packets go out so fast, bits per second; `None`: as fast as ticks allow. Audio goes at once at any
    /// rate.
    pub(crate) fn set_pace(&mut self, bps: Option<u64>) {
        let credit = self.pace.map_or(0, |pace| pace.credit);
        self.pace = bps.map(|bps| Pace { bps, credit });
    }

    /// So many bytes go out.
    pub(super) fn spend(&mut self, bytes: usize) {
        if let Some(pace) = &mut self.pace {
            pace.credit = pace.credit.saturating_sub_unsigned(bytes as u64);
        }
    }

    /// Has the pace room?
    fn is_open(&self) -> bool {
        self.pace.is_none_or(|pace| pace.credit > 0)
    }

    /// A tick of the shard; what was not served in time may follow, up to a limit.
    pub(super) fn begin(&mut self, tick: u64) {
        if tick == self.tick {
            return;
        }
        let passed = tick.saturating_sub(self.tick).clamp(1, CATCH_UP_TICKS);
        let ticks = if self.held { usize::try_from(passed).unwrap_or(1) } else { 1 };
        if let Some(pace) = &mut self.pace {
            pace.begin(tick.saturating_sub(self.tick), self.video.len() + self.again.len());
        }
        self.tick = tick;
        self.video_left = SEGMENTS_MAX * ticks;
        self.again_left = AGAIN_PER_TICK * ticks;
    }

    /// Where the packets of a track go out, if it was noted since what was negotiated has this version.
    pub(super) fn slot(&self, version: u64, track: TrackId) -> Option<SendSlot> {
        self.slots.find(version, track)
    }

    /// Remembers where the packets of a track go out, until [`Self::forget`].
    pub(super) fn note_slot(&mut self, version: u64, track: TrackId, slot: SendSlot) {
        self.slots.note(version, track, slot);
    }

    /// How many of a lane may go now.
    pub(super) fn due(&self, lane: Lane) -> usize {
        match lane {
            Lane::Audio => self.audio.len(),
            Lane::Again | Lane::Video if !self.is_open() => 0,
            Lane::Again => self.again.len().min(self.again_left),
            Lane::Video => self.video.len().min(self.video_left),
        }
    }

    /// The next of a lane that may go now.
    pub(super) fn pop(&mut self, lane: Lane) -> Option<Item> {
        match lane {
            Lane::Audio => self.audio.pop_front(),
            Lane::Again | Lane::Video if !self.is_open() => None,
            Lane::Again => {
                let left = self.again_left.checked_sub(1)?;
                let item = self.again.pop_front()?;
                self.again_left = left;
                Some(item)
            }
            Lane::Video => {
                let left = self.video_left.checked_sub(1)?;
                let item = self.video.pop_front()?;
                self.video_left = left;
                self.credit = (self.credit + 1).min(AGAIN_CREDIT_MAX * AGAIN_SHARE);
                Some(item)
            }
        }
    }

    /// It was served; true if something is left for later.
    pub(super) fn end(&mut self) -> bool {
        self.held = self.len() > 0;
        self.held
    }

    /// Packets that wait.
    pub(super) fn len(&self) -> usize {
        self.audio.len() + self.again.len() + self.video.len()
    }

    /// The track does not go out here any more, or under other numbers.
    pub(crate) fn forget(&mut self, track: TrackId) {
        for lane in [&mut self.audio, &mut self.again, &mut self.video] {
            lane.retain(|item| item.track != track);
        }
        self.slots.forget(track);
    }

    /// Nothing can go out any more; how many packets did not.
    pub(crate) fn clear(&mut self) -> usize {
        let len = self.len();
        for lane in [&mut self.audio, &mut self.again, &mut self.video] {
            lane.clear();
        }
        self.held = false;
        len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(seq: u64) -> Item {
        Item { track: TrackId(seq % 2), seq, entry: Entry::default() }
    }

    fn serve(queue: &mut Outgoing, tick: u64, lane: Lane) -> usize {
        queue.begin(tick);
        let mut count = 0;
        while queue.pop(lane).is_some() {
            count += 1;
        }
        queue.end();
        count
    }

    #[test]
    fn video_goes_in_ticks_the_first_at_once_and_what_was_missed_follows() {
        let mut queue = Outgoing::default();
        for seq in 0..90 {
            assert!(queue.push_video(item(seq)));
        }
        assert_eq!(serve(&mut queue, 50, Lane::Video), SEGMENTS_MAX, "idle until now");
        assert_eq!(serve(&mut queue, 50, Lane::Video), 0);
        assert_eq!(serve(&mut queue, 51, Lane::Video), SEGMENTS_MAX);
        assert_eq!(serve(&mut queue, 53, Lane::Video), SEGMENTS_MAX * 2);
        let most = SEGMENTS_MAX * usize::try_from(CATCH_UP_TICKS).unwrap();
        assert_eq!(serve(&mut queue, 90, Lane::Video), most);
        assert_eq!(serve(&mut queue, 95, Lane::Video), 90 - SEGMENTS_MAX * 4 - most);
        assert_eq!(queue.len(), 0);
        queue.push_video(item(1));
        assert_eq!(serve(&mut queue, 200, Lane::Video), 1);
        for seq in 0..100 {
            queue.push_video(item(seq));
        }
        assert_eq!(serve(&mut queue, 300, Lane::Video), SEGMENTS_MAX, "nothing was left over");
    }

    #[test]
    fn on_a_narrow_path_so_many_bytes_go_out_and_audio_goes_at_once() {
        let mut queue = Outgoing::default();
        // 1,000 bytes in 8 ticks.
        queue.set_pace(Some(1_000_000));
        for seq in 0..40 {
            queue.push_video(item(seq));
        }
        let mut sent = Vec::new();
        for tick in 100..140 {
            queue.begin(tick);
            while queue.due(Lane::Video) > 0 && queue.pop(Lane::Video).is_some() {
                queue.spend(1_000);
                sent.push(tick);
            }
            queue.push_audio(item(tick));
            assert!(queue.pop(Lane::Audio).is_some(), "audio waits for nothing");
            queue.end();
        }
        // What was saved up before goes at once, then one every eight ticks.
        assert_eq!(sent, [100, 104, 112, 120, 128, 136]);
        queue.set_pace(None);
        assert_eq!(serve(&mut queue, 140, Lane::Video), SEGMENTS_MAX);
        // Slower than they would be gone in time.
        queue.set_pace(Some(8_000));
        for seq in 0..100 {
            queue.push_video(item(seq));
        }
        let waiting = queue.len();
        for tick in 141..=3_140 {
            queue.begin(tick);
            while queue.pop(Lane::Video).is_some() {
                queue.spend(PACE_PACKET_LEN);
            }
            queue.end();
        }
        // In three seconds all but one part in e.
        let share = queue.len() * 100 / waiting;
        assert!((30..45).contains(&share), "{} of {waiting}", queue.len());
    }

    #[test]
    fn slots_are_those_of_what_was_negotiated_last() {
        let other = TrackId(1 + SLOTS as u64);
        let mut slots = Slots::default();
        slots.note(1, TrackId(1), 'a');
        slots.note(1, TrackId(2), 'b');
        assert_eq!([slots.find(1, TrackId(1)), slots.find(1, TrackId(2))], [Some('a'), Some('b')]);
        assert_eq!([slots.find(2, TrackId(1)), slots.find(1, other)], [None, None]);
        slots.forget(other);
        assert_eq!(slots.find(1, TrackId(1)), Some('a'), "only in the same place");
        slots.note(1, other, 'c');
        assert_eq!([slots.find(1, TrackId(1)), slots.find(1, other)], [None, Some('c')]);
        slots.forget(other);
        assert_eq!([slots.find(1, other), slots.find(1, TrackId(2))], [None, Some('b')]);
        slots.note(2, TrackId(1), 'd');
        assert_eq!([slots.find(2, TrackId(1)), slots.find(2, TrackId(2))], [Some('d'), None]);
    }

    #[test]
    fn every_lane_is_bounded() {
        let mut queue = Outgoing::default();
        let mut seqs = 0..;
        let mut fill = |push: &mut dyn FnMut(Item) -> bool| {
            seqs.by_ref().take(10_000).take_while(|seq| push(item(*seq))).count()
        };
        assert_eq!(fill(&mut |item| queue.push_audio(item)), AUDIO_WAITING_MAX);
        assert_eq!(fill(&mut |item| queue.push_video(item)), VIDEO_WAITING_MAX);
        assert!(queue.is_video_full());
        assert_eq!(fill(&mut |item| queue.push_again(item)), AGAIN_CREDIT_FIRST as usize);
        assert_eq!(serve(&mut queue, 9, Lane::Again), AGAIN_PER_TICK);
        // What was sent allows some more.
        assert_eq!(serve(&mut queue, 10, Lane::Video), SEGMENTS_MAX);
        let more = SEGMENTS_MAX / AGAIN_SHARE as usize;
        assert_eq!(fill(&mut |item| queue.push_again(item)), more);
        let len = queue.len();
        queue.forget(TrackId(0));
        assert!(queue.len() < len && queue.len() > len / 3);
        queue.forget(TrackId(1));
        assert_eq!((queue.len(), queue.clear()), (0, 0));
    }
}
