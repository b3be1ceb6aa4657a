//! From what is told to what is written.

use fermata_store::monitoring::{Client, Tally};
use fermata_types::{Downlink, Media, TrackSample, TrackSid};
use jiff::SignedDuration;

use super::*;

const APP: SdkAppId = SdkAppId(1);

/// So many milliseconds after the beginning of a minute.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_millis(ms)
}

fn sid(name: &str) -> ParticipantSid {
    ParticipantSid::from_text(name)
}

fn room_sid(room: &str) -> RoomSid {
    RoomSid::from_text(&format!("RM_{room}"))
}

fn tell(watch: &mut Watch, room: &str, ms: i64, what: What) {
    let name = RoomName::parse(room).unwrap();
    watch.happened(Happening { app: APP, room: name, room_sid: room_sid(room), at: at(ms), what });
}

/// Somebody does something; `name` is the stay's, its first letter the user's.
fn does(watch: &mut Watch, room: &str, name: &str, ms: i64, did: Did) {
    let who = Who {
        stay: sid(name),
        identity: name[..1].to_owned(),
        client: Client::default(),
        entered_at: at(ms),
    };
    tell(watch, room, ms, What::User(who, did));
}

fn left(end: StayEnd) -> Did {
    Did::Left { end, was_active: end != StayEnd::NeverConnected }
}

/// A sample of somebody who receives a camera of `from`.
fn sample(room: &str, name: &str, ms: i64, freeze_ms: u32, from: &str) -> StaySample {
    StaySample {
        app: APP,
        room_sid: room_sid(room),
        stay: sid(name),
        at: at(ms),
        span_ms: 5_000,
        rtt_ms: Some(40),
        cpu_percent: None,
        downlink: Downlink::default(),
        peer: None,
        tracks: vec![TrackSample {
            track: TrackSid::from_text("TR_1"),
            from: Some(sid(from)),
            media: Media::Video,
            packets: 400,
            bytes: 400_000,
            lost: 0,
            frames: 75,
            width: 640,
            height: 360,
            freeze_ms,
            jitter_ms: None,
            keyframe_requests: 0,
            nacks: 0,
        }],
    }
}

fn batch(watch: &mut Watch) -> Batch {
    watch.sum_up();
    watch.take_batch()
}

/// Users, rooms, joins asked, succeeded and fast of an application (or a room) in the minute from `ms` on.
fn told(tallies: &[Tally], room: Option<&str>, ms: i64) -> Option<(u32, u32, u64, u64, u64)> {
    let of = room.map(room_sid);
    let tally = tallies.iter().find(|tally| tally.room_sid == of && tally.minute == at(ms))?;
    let sums = &tally.sums;
    Some((tally.users, tally.rooms, sums.joins, sums.joined, sums.joined_soon))
}

#[test]
fn a_meeting_becomes_rows() {
    let mut watch = Watch::default();
    let w = &mut watch;
    tell(w, "x", 0, What::RoomStarted { creator: "a".to_owned() });
    does(w, "x", "a1", 0, Did::Entered);
    does(w, "x", "a1", 900, Did::Connected);
    does(w, "x", "b1", 1_000, Did::Entered);
    does(w, "x", "b1", 7_000, Did::Connected);
    does(w, "x", "b1", 8_000, Did::Other(EventKind::TrackOn(Media::Audio)));
    does(w, "y", "c1", 9_000, Did::Entered);
    does(w, "y", "c1", 20_000, left(StayEnd::NeverConnected));
    does(w, "x", "b1", 30_000, left(StayEnd::Left));
    assert_eq!(w.stays(), 1);
    let rows = batch(w);
    let lives: Vec<_> = rows.lives.iter().map(|life| (&*life.creator, life.at)).collect();
    assert_eq!(
        lives,
        [("a", at(0)), ("c", at(9_000))],
        "a room that was not told begins by its first user"
    );
    assert_eq!((rows.stays.len(), rows.stays_ended.len(), rows.events.len()), (3, 2, 8));
    assert_eq!(rows.connected, [(sid("a1"), at(900)), (sid("b1"), at(7_000))]);
    assert_eq!(told(&rows.tallies, None, 0), Some((3, 2, 3, 2, 1)));
    assert_eq!(told(&rows.tallies, Some("x"), 0), Some((2, 1, 2, 2, 1)));
    assert_eq!(told(&rows.tallies, Some("y"), 0), Some((1, 1, 1, 0, 0)));
    let slow: Vec<_> = rows.unusual.iter().map(|row| (row.stay.as_str(), row.experience)).collect();
    assert_eq!(slow, [("c1", 1), ("b1", 2)], "one never connected, one slowly");

    // Who stays is counted in every minute; who does not is not.
    w.tick(at(60_001));
    let rows = batch(w);
    assert_eq!(told(&rows.tallies, None, 60_000), Some((1, 1, 0, 0, 0)));
    assert_eq!(told(&rows.tallies, Some("y"), 60_000), None);
    assert!(rows.unusual.is_empty() && rows.events.is_empty());

    tell(w, "x", 90_000, What::RoomFinished);
    let rows = batch(w);
    let ended = StayOver { stay: sid("a1"), at: at(90_000), end: StayEnd::Lost };
    assert_eq!(rows.stays_ended, [ended], "the room is gone, so is who was not told to have left");
    assert_eq!(rows.lives_ended, [(room_sid("x"), at(90_000))]);
    assert_eq!((w.stays(), w.apps.len(), w.lives.len()), (0, 0, 1));
    assert_eq!(w.take_dropped(), 0);
}

#[test]
fn samples_become_blocks_totals_and_what_was_unusual() {
    let mut watch = Watch::default();
    let w = &mut watch;
    for name in ["a1", "b1"] {
        does(w, "x", name, 0, Did::Entered);
        does(w, "x", name, 100, Did::Connected);
    }
    for n in 1..=11 {
        let freeze = if n == 5 { 2_500 } else { 0 };
        w.sampled(&sample("x", "b1", n * 5_000, freeze, "a1"));
        w.sampled(&sample("x", "stranger", n * 5_000, 0, "a1"));
        w.tick(at(n * 5_000 + 50));
    }
    assert!(batch(w).blocks.is_empty());
    // The publisher is slow: this may have caused it.
    let mut slow = sample("x", "a1", 60_000, 0, "b1");
    slow.cpu_percent = Some(99);
    w.sampled(&slow);
    w.tick(at(60_100));
    let rows = batch(w);
    assert_eq!(rows.blocks.len(), 2);
    let block = rows.blocks.iter().find(|block| block.stay == sid("b1")).unwrap();
    assert_eq!((block.from, block.to), (at(5_000), at(55_000)));
    let key = BlockKey { app: APP, room_sid: room_sid("x"), stay: sid("b1") };
    assert_eq!(decode(&key, &block.blob).unwrap().len(), 11);
    let [row] = &rows.unusual[..] else { panic!("{:?}", rows.unusual) };
    assert_eq!((row.stay.as_str(), row.at, row.experience), ("b1", at(25_000), 6));

    // Totals were told as they came.
    w.sampled(&sample("x", "b1", 65_000, 0, "a1"));
    let rows = batch(w);
    let app = rows.tallies.iter().find(|tally| tally.room_sid.is_none()).unwrap();
    assert_eq!((app.minute, app.sums.video_ms, app.sums.delay_ms), (at(60_000), 5_000, 40));

    // What is not packed when somebody leaves is packed then.
    does(w, "x", "b1", 66_000, left(StayEnd::Left));
    let rows = batch(w);
    assert_eq!(rows.blocks.len(), 1);
    assert_eq!(rows.blocks[0].from, at(65_000));
    // Samples that come late are of nobody.
    w.sampled(&sample("x", "b1", 70_000, 0, "a1"));
    assert!(batch(w).is_empty());
}

#[test]
fn a_question_packs_its_room_only() {
    let mut watch = Watch::default();
    let w = &mut watch;
    for (room, name) in [("x", "a1"), ("y", "b1")] {
        does(w, room, name, 0, Did::Entered);
        w.sampled(&sample(room, name, 5_000, 0, "z1"));
    }
    batch(w);
    w.pack(&room_sid("x"));
    let rows = batch(w);
    assert_eq!(rows.blocks.iter().map(|block| block.stay.as_str()).collect::<Vec<_>>(), ["a1"]);
}

#[test]
fn a_full_block_is_followed_by_another_and_nothing_is_lost() {
    let mut watch = Watch::default();
    let w = &mut watch;
    does(w, "x", "a1", 0, Did::Entered);
    for n in 1..=61 {
        w.sampled(&sample("x", "a1", n * 5_000, 0, "z1"));
    }
    does(w, "x", "a1", 400_000, left(StayEnd::Left));
    let rows = batch(w);
    let spans: Vec<_> = rows.blocks.iter().map(|block| (block.from, block.to)).collect();
    assert_eq!(spans, [(at(5_000), at(300_000)), (at(305_000), at(305_000))]);
    assert_eq!(w.take_dropped(), 0);
}

#[test]
fn who_is_silent_is_asked_for_and_ended_if_gone() {
    let mut watch = Watch::default();
    let w = &mut watch;
    does(w, "x", "a1", 0, Did::Entered);
    does(w, "x", "b1", 0, Did::Entered);
    does(w, "y", "c1", 0, Did::Entered);
    assert_eq!(w.silent_room(at(100_000)), None);
    w.sampled(&sample("y", "c1", 120_000, 0, "z1"));
    let now = at(130_000);
    let (app, (life, name)) = w.silent_room(now).unwrap();
    assert_eq!((app, &life, name), (APP, &room_sid("x"), RoomName::parse("x").unwrap()));
    batch(w);
    w.keep(&life, &BTreeSet::from([sid("b1"), sid("new")]), now);
    let rows = batch(w);
    assert_eq!(rows.stays_ended, [StayOver { stay: sid("a1"), at: at(0), end: StayEnd::Lost }]);
    assert_eq!(w.silent_room(now), None);
    w.keep(&life, &BTreeSet::new(), at(300_000));
    assert_eq!(batch(w).lives_ended, [(room_sid("x"), at(300_000))]);
    assert_eq!((w.stays(), w.apps[&APP].users, w.apps[&APP].rooms), (1, 1, 1));
}

#[test]
fn an_empty_room_whose_end_was_not_told_is_asked_for_and_ended_if_gone() {
    let mut watch = Watch::default();
    let w = &mut watch;
    for room in ["gone", "waits"] {
        tell(w, room, 0, What::RoomStarted { creator: String::new() });
    }
    does(w, "left", "a1", 0, Did::Entered);
    does(w, "left", "a1", 60_000, left(StayEnd::Left));
    does(w, "busy", "b1", 0, Did::Entered);
    assert_eq!(w.deserted(at(100_000)), None);
    let now = at(200_000);
    assert_eq!(w.deserted(now), Some(APP));
    batch(w);
    w.keep_rooms(APP, &BTreeSet::from([room_sid("waits"), room_sid("busy")]), now);
    let mut ended = batch(w).lives_ended;
    ended.sort();
    assert_eq!(ended, [(room_sid("gone"), at(0)), (room_sid("left"), at(60_000))]);
    assert_eq!((w.deserted(now), w.lives.len()), (None, 2));
}
