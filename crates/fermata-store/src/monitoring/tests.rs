//! Round trips, retention, bounds, damage, restarts, on real files.

use std::path::Path;

use fermata_types::{Media, ParticipantSid, RoomName, RoomSid, SdkAppId, StayEnd};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::*;
use crate::limits::MONITORING_BYTES_MAX;

const APP: SdkAppId = SdkAppId(1_400_000_001);
const OTHER: SdkAppId = SdkAppId(1_400_000_002);
const PAGE: Page = Page { skip: 0, len: 100 };

/// So many milliseconds after a midnight.
fn at(ms: i64) -> Timestamp {
    "2024-03-05T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_millis(ms)
}

fn open(folder: &Path) -> Monitoring {
    Monitoring::open(folder, MONITORING_BYTES_MAX).unwrap()
}

fn wait<T>(future: StoreFuture<'static, T>) -> Result<T, StoreError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn got<T>(future: StoreFuture<'static, T>) -> T {
    wait(future).unwrap()
}

fn sid(name: &str) -> ParticipantSid {
    ParticipantSid::from_text(name)
}

fn life(name: &str, app: SdkAppId, room: RoomName, ms: i64) -> LifeBegun {
    let room_sid = RoomSid::from_text(name);
    LifeBegun { room_sid, app, room, at: at(ms), creator: "ann".to_owned() }
}

fn stay(name: &str, room: &str, app: SdkAppId, identity: &str, ms: i64) -> StayBegun {
    let client = Client { device: "d".repeat(500), os: "Linux".to_owned(), ..Client::default() };
    let room_sid = RoomSid::from_text(room);
    StayBegun { stay: sid(name), room_sid, app, identity: identity.to_owned(), client, at: at(ms) }
}

fn over(name: &str, ms: i64, end: StayEnd) -> StayOver {
    StayOver { stay: sid(name), at: at(ms), end }
}

fn event(name: &str, room: &str, ms: i64, kind: EventKind) -> EventRow {
    EventRow { app: APP, room_sid: RoomSid::from_text(room), stay: sid(name), at: at(ms), kind }
}

fn block(name: &str, from: i64, to: i64, blob: Vec<u8>) -> Block {
    Block { app: APP, stay: sid(name), from: at(from), to: at(to), blob }
}

fn tally(room: Option<&str>, ms: i64, joins: u64, users: u32) -> Tally {
    let sums = Sums { joins, audio_ms: 5_000, ..Sums::default() };
    let room_sid = room.map(RoomSid::from_text);
    Tally { app: APP, room_sid, minute: at(ms), sums, users, rooms: 1 }
}

fn text(room: &str) -> RoomName {
    RoomName::parse(room).unwrap()
}

/// Two rooms of one application, three stays.
fn meeting() -> Batch {
    Batch {
        lives: vec![life("RM_a", APP, text("int/7"), 1_500), life("RM_b", APP, text("b"), 2_000)],
        stays: vec![
            stay("PA_1", "RM_a", APP, "ann", 1_500),
            stay("PA_2", "RM_a", APP, "bob", 2_500),
            stay("PA_3", "RM_b", APP, "ann", 3_000),
        ],
        connected: vec![(sid("PA_1"), at(1_900))],
        stays_ended: vec![over("PA_2", 60_000, StayEnd::Removed)],
        events: vec![
            event("PA_2", "RM_a", 2_500, EventKind::Entered),
            event("PA_2", "RM_a", 3_000, EventKind::TrackOn(Media::ScreenAudio)),
            event("PA_1", "RM_a", 3_100, EventKind::Connected),
            event("PA_2", "RM_a", 60_000, EventKind::Left(StayEnd::Removed)),
        ],
        unusual: vec![UnusualRow {
            app: APP,
            room_sid: RoomSid::from_text("RM_a"),
            stay: sid("PA_2"),
            at: at(20_000),
            experience: 4,
            causes: vec![(2024, Some(sid("PA_1"))), (2013, None)],
        }],
        blocks: vec![block("PA_2", 5_000, 55_000, vec![1, 2, 3])],
        tallies: vec![tally(None, 0, 2, 3), tally(Some("RM_a"), 0, 2, 2)],
        ..Batch::default()
    }
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    got(db.append(meeting()));
    // Once more changes nothing but the totals, which are told once in real life.
    got(db.append(Batch {
        tallies: Vec::new(),
        events: Vec::new(),
        unusual: Vec::new(),
        ..meeting()
    }));

    let rooms = got(db.room_lives(APP, at(0), at(9_000), None, PAGE));
    assert_eq!(rooms.total, 2);
    let names: Vec<_> = rooms.rows.iter().map(|row| row.room.to_string()).collect();
    assert_eq!(names, ["b", "int/7"], "the latest first");
    let seven = &rooms.rows[1];
    assert_eq!((seven.began, seven.ended, &*seven.creator), (at(1_500), None, "ann"));
    assert_eq!(got(db.room_lives(APP, at(0), at(1_999), None, PAGE)).total, 1);
    assert_eq!(got(db.room_lives(APP, at(0), at(9_000), Some("7".to_owned()), PAGE)).total, 1);
    assert_eq!(got(db.room_lives(OTHER, at(0), at(9_000), None, PAGE)).total, 0);
    let one = Page { skip: 1, len: 1 };
    let second = got(db.room_lives(APP, at(0), at(9_000), None, one));
    assert_eq!((second.total, second.rows.len()), (2, 1));
    assert_eq!(second.rows[0], *seven);
    assert_eq!(got(db.life(APP, "7".to_owned(), at(1_500).as_second())).as_ref(), Some(seven));
    assert_eq!(got(db.life(OTHER, "7".to_owned(), at(1_500).as_second())), None);

    let room = || RoomSid::from_text("RM_a");
    let stays = got(db.stays_of_room(room(), at(0), at(9_000), Vec::new(), PAGE));
    assert_eq!(stays.total, 2);
    assert_eq!(stays.rows[0].connected, Some(at(1_900)));
    assert_eq!(stays.rows[0].client.device.len(), 128, "what a client says is cut");
    assert_eq!(stays.rows[1].left, Some((at(60_000), StayEnd::Removed)));
    let bob = vec!["bob".to_owned(), "nobody".to_owned()];
    assert_eq!(got(db.stays_of_room(room(), at(0), at(9_000), bob.clone(), PAGE)).total, 1);
    assert_eq!(got(db.stays_of_room(room(), at(60_001), at(90_000), bob, PAGE)).total, 0);

    let events = got(db.events_of(room(), "bob".to_owned(), at(0), at(60_000)));
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    let screen = EventKind::TrackOn(Media::ScreenAudio);
    assert_eq!(kinds, [EventKind::Entered, screen, EventKind::Left(StayEnd::Removed)]);

    let unusual = got(db.unusual(APP, at(0), at(60_000), Some("7".to_owned()), vec![4], PAGE));
    assert_eq!(unusual.total, 1);
    let others = vec![3, 5];
    assert_eq!(got(db.unusual(APP, at(0), at(60_000), None, others, PAGE)).total, 0);
    assert_eq!(unusual.rows[0].identity, "bob");
    assert_eq!(unusual.rows[0].causes, [(2024, "ann".to_owned()), (2013, String::new())]);
    assert_eq!(
        got(db.unusual(APP, at(0), at(60_000), Some("b".to_owned()), vec![4], PAGE)).total,
        0
    );

    let both = vec![sid("PA_1"), sid("PA_2")];
    let blocks = got(db.series(both.clone(), at(55_000), at(60_000)));
    assert_eq!(blocks, [block("PA_2", 5_000, 55_000, vec![1, 2, 3])]);
    assert_eq!(got(db.series(both.clone(), at(55_001), at(60_000))), []);
    assert_eq!(got(db.identities(both)).len(), 2);
}

#[test]
fn rooms_of_one_text_and_second_have_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let rows = [("RM_a", "int/7"), ("RM_b", "7"), ("RM_c", "int/7"), ("RM_d", "8")];
    let lives = rows.map(|(name, room)| life(name, APP, text(room), 1_500)).to_vec();
    got(db.append(Batch { lives, ..Batch::default() }));
    let later = vec![life("RM_e", APP, text("7"), 9_000)];
    got(db.append(Batch { lives: later, ..Batch::default() }));
    let rows = got(db.room_lives(APP, at(0), at(9_000), None, PAGE)).rows;
    let mut seconds: Vec<_> = rows
        .iter()
        .map(|row| (row.room_sid.to_string(), row.comm_second - at(0).as_second()))
        .collect();
    seconds.sort();
    let expected = [("RM_a", 1), ("RM_b", 2), ("RM_c", 3), ("RM_d", 1), ("RM_e", 9)];
    assert_eq!(seconds, expected.map(|(name, second)| (name.to_owned(), second)));
}

#[test]
fn totals_add_up_and_peaks_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    got(db.append(meeting()));
    let more = vec![
        tally(None, 0, 1, 2),
        tally(None, 60_000, 5, 7),
        tally(None, HOUR_MS, 1, 1),
        tally(Some("RM_a"), 0, 1, 4),
    ];
    got(db.append(Batch { tallies: more, ..Batch::default() }));
    let rows = |period, to: i64| got(db.totals(APP, period, at(0), at(to), None));

    let minutes = rows(Period::Minute, HOUR_MS);
    assert_eq!(minutes.len(), 2);
    assert_eq!((minutes[0].sums.joins, minutes[0].peak_users), (3, 3));
    assert_eq!(minutes[0].sums.audio_ms, 10_000);
    let hours = rows(Period::Hour, DAY_MS);
    assert_eq!((hours[0].sums.joins, hours[0].peak_users, hours[1].sums.joins), (8, 7, 1));
    let days = rows(Period::Day, DAY_MS);
    assert_eq!((days.len(), days[0].sums.joins), (1, 9));
    let counted = Scale { users: 2, room_users: 3, entries: 3, rooms: 2 };
    assert_eq!(days[0].scale, counted, "counted while it is not over");

    let room = got(db.totals(APP, Period::Minute, at(0), at(HOUR_MS), Some("7".to_owned())));
    assert_eq!((room.len(), room[0].sums.joins, room[0].peak_users), (1, 3, 4));
    assert_eq!(got(db.totals(APP, Period::Minute, at(0), at(HOUR_MS), Some("8".into()))), []);
    assert_eq!(got(db.totals(OTHER, Period::Day, at(0), at(DAY_MS), None)), []);
}

/// Sweeps until nothing is left to do.
fn sweep(db: &Monitoring, now: Timestamp) -> Swept {
    let mut all = Swept::default();
    for _ in 0..10_000 {
        let step = got(db.sweep(now));
        all.expired += step.expired;
        all.evicted += step.evicted;
        all.bytes = step.bytes;
        if !step.more {
            return all;
        }
    }
    panic!("sweeping does not end: {all:?}");
}

#[test]
fn two_weeks_are_kept_and_totals_of_days_for_longer() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let rest = vec![over("PA_1", 70_000, StayEnd::Left), over("PA_3", 70_000, StayEnd::Left)];
    let rooms =
        vec![(RoomSid::from_text("RM_a"), at(70_000)), (RoomSid::from_text("RM_b"), at(70_000))];
    got(db.append(meeting()));
    got(db.append(Batch { stays_ended: rest, lives_ended: rooms, ..Batch::default() }));
    let room = || RoomSid::from_text("RM_a");
    let days = || got(db.totals(APP, Period::Day, at(0), at(DAY_MS), None));

    let almost = at(0) + SignedDuration::from_hours(14 * 24);
    sweep(&db, almost);
    assert_eq!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total, 2);
    assert_eq!(got(db.events_of(room(), "bob".into(), at(0), at(DAY_MS))).len(), 3);
    assert_eq!(got(db.totals(APP, Period::Minute, at(0), at(DAY_MS), None)), []);
    assert_eq!(days().len(), 1);

    let after = almost + SignedDuration::from_mins(2);
    assert!(sweep(&db, after).expired > 8);
    assert_eq!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total, 0);
    assert_eq!(got(db.stays_of_room(room(), at(0), at(DAY_MS), Vec::new(), PAGE)).total, 0);
    assert_eq!(got(db.series(vec![sid("PA_2")], at(0), at(DAY_MS))), []);
    assert_eq!(got(db.unusual(APP, at(0), at(DAY_MS), None, vec![4], PAGE)).total, 0);
    let counted = Scale { users: 2, room_users: 3, entries: 3, rooms: 2 };
    assert_eq!(days()[0].scale, counted, "counted before those who were counted went");

    sweep(&db, at(0) + SignedDuration::from_hours(62 * 24));
    assert_eq!(days(), []);
}

#[test]
fn the_file_stays_below_its_limit_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 2 << 20;
    let db = Monitoring::open(folder.path(), limit).unwrap();
    got(db.append(meeting()));
    let mut evicted = 0;
    for step in 0..20 {
        let blocks = (0..100)
            .map(|i| {
                block("PA_1", (step * 100 + i) * 5_000, (step * 100 + i) * 5_000, vec![7; 2_000])
            })
            .collect();
        got(db.append(Batch { blocks, ..Batch::default() }));
        let swept = sweep(&db, at(0) + 1.hour());
        assert!(swept.bytes <= limit, "{swept:?}");
        evicted += swept.evicted;
    }
    assert!(evicted >= 1_000, "{evicted}");
    let left = got(db.series(vec![sid("PA_1")], at(0), at(DAY_MS)));
    assert!(!left.is_empty());
    assert_eq!(left.last().map(|block| block.from), Some(at(1_999 * 5_000)));
    assert!(left[0].from > at(500 * 5_000), "{:?}", left[0].from);
    assert_eq!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total, 2);
    let size = std::fs::metadata(folder.path().join(MONITORING_FILE)).unwrap().len();
    assert!(size <= limit * 5 / 4 + 64 * 4_096, "{size}");
}

#[test]
fn a_batch_that_does_not_fit_is_refused_whole_and_sweeping_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let db = Monitoring::open(folder.path(), 1 << 20).unwrap();
    let big = |from: i64| {
        let blocks = (0..100).map(|i| block("PA_1", from + i, from + i, vec![7; 8_000])).collect();
        db.append(Batch { blocks, ..Batch::default() })
    };
    got(big(0));
    let error = wait(big(1_000)).unwrap_err();
    assert!(matches!(error, StoreError::NotWritable(_)), "{error}");
    let kept = got(db.series(vec![sid("PA_1")], at(0), at(DAY_MS)));
    assert_eq!(kept.len(), 100);
    assert_eq!(db.renewed(), 0);
    got(db.forget_app(APP));
    got(big(1_000));
}

#[test]
fn an_application_is_forgotten_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    got(db.append(meeting()));
    let other = Batch {
        lives: vec![life("RM_o", OTHER, text("b"), 0)],
        stays: vec![stay("PA_o", "RM_o", OTHER, "eve", 0)],
        ..Batch::default()
    };
    got(db.append(other));
    got(db.forget_app(APP));
    assert_eq!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total, 0);
    assert_eq!(got(db.totals(APP, Period::Day, at(0), at(DAY_MS), None)), []);
    assert_eq!(got(db.identities(vec![sid("PA_1"), sid("PA_o")])).len(), 1);
    let raw = rusqlite::Connection::open(folder.path().join(MONITORING_FILE)).unwrap();
    for (table, left) in [("life", 1), ("stay", 1), ("event", 0), ("unusual", 0), ("block", 0)] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = raw.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, left, "{table}");
    }
}

#[test]
fn what_an_earlier_run_left_open_is_ended_where_it_was_last_heard_of() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    got(db.append(meeting()));
    got(db.append(Batch {
        blocks: vec![block("PA_1", 60_000, 115_000, vec![1])],
        ..Batch::default()
    }));
    drop(db);
    let db = open(folder.path());
    assert_eq!(db.renewed(), 0);
    let stays =
        got(db.stays_of_room(RoomSid::from_text("RM_a"), at(0), at(9_000), Vec::new(), PAGE));
    assert_eq!(stays.rows[0].left, Some((at(115_000), StayEnd::Lost)));
    assert_eq!(stays.rows[1].left, Some((at(60_000), StayEnd::Removed)));
    let rooms = got(db.room_lives(APP, at(0), at(9_000), None, PAGE)).rows;
    assert_eq!(rooms[1].ended, Some(at(115_000)));
    assert_eq!(rooms[0].ended, Some(at(3_000)), "heard of once");
}

#[test]
fn a_file_of_no_use_is_set_aside_when_opening() {
    let newer = |path: &Path| {
        let raw = rusqlite::Connection::open(path).unwrap();
        raw.execute_batch("PRAGMA user_version = 99").unwrap();
    };
    let garbage = |path: &Path| std::fs::write(path, vec![0x5a; 40_000]).unwrap();
    let half = |path: &Path| {
        let raw = rusqlite::Connection::open(path).unwrap();
        raw.execute_batch("DROP TABLE block").unwrap();
    };
    let spoil: [&dyn Fn(&Path); 3] = [&newer, &garbage, &half];
    for (name, spoil) in ["newer", "garbage", "half"].into_iter().zip(spoil) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MONITORING_FILE);
        let db = open(folder.path());
        got(db.append(meeting()));
        drop(db);
        spoil(&path);
        let db = open(folder.path());
        assert_eq!(db.renewed(), 1, "{name}");
        assert!(folder.path().join("monitoring.db.aside").exists());
        assert_eq!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total, 0);
        got(db.append(meeting()));
        assert_eq!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total, 2);
    }
}

#[test]
fn damage_found_while_serving_costs_the_file_and_not_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MONITORING_FILE);
    let db = open(folder.path());
    got(db.append(meeting()));
    // Takes what is in the log into the file, then spoils all pages but the first.
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(raw);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4_096..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();

    let mut refused = 0;
    for step in 0..20 {
        let later = vec![life(&format!("RM_{step}"), APP, text("late"), 5_000 + step)];
        let batch = Batch { lives: later, ..meeting() };
        refused += usize::from(wait(db.append(batch)).is_err());
        let _ = wait(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE));
    }
    assert!(refused < 10, "{refused}");
    assert_eq!(db.renewed(), 1);
    assert!(got(db.room_lives(APP, at(0), at(DAY_MS), None, PAGE)).total > 10);
}

#[test]
fn too_many_samples_for_one_answer_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    for step in 0..9 {
        let blocks = (0..4).map(|i| block("PA_1", step * 10 + i, step * 10 + i, vec![1; 1 << 20]));
        got(db.append(Batch { blocks: blocks.collect(), ..Batch::default() }));
    }
    let error = wait(db.series(vec![sid("PA_1")], at(0), at(DAY_MS))).unwrap_err();
    assert!(matches!(error, StoreError::Invalid { field: "series", .. }), "{error}");
    assert_eq!(got(db.series(vec![sid("PA_1")], at(0), at(30))).len(), 13);
}

#[test]
fn what_is_free_goes_back_to_the_disk_by_and_by() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(MONITORING_FILE);
    let db = open(folder.path());
    for step in 0..24 {
        let blocks = vec![block("PA_1", step, step, vec![1; 1 << 20])];
        got(db.append(Batch { blocks, ..Batch::default() }));
    }
    got(db.append(meeting()));
    got(db.forget_app(OTHER));
    let big = got(db.sweep(at(0))).bytes;
    assert!(big > 24 << 20, "{big}");
    got(db.forget_app(APP));
    let bytes = (0..6).fold(0, |_, _| got(db.sweep(at(0))).bytes);
    assert!(bytes < 1 << 20, "{bytes}");
    drop(db);
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(size < 20 << 20, "{size}");
    let db = open(folder.path());
    got(db.append(meeting()));
    assert_eq!((got(db.sweep(at(0))).expired, db.renewed()), (0, 0));
}
