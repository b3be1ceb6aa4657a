//! The database of deliveries: order, settlement, replay, retention, and what a killed program leaves.

use fermata_types::RoomName;
use jiff::{SignedDuration, ToSpan as _};

use super::limits::{DELIVERED_KEPT, FAILED_KEPT};
use super::*;

const APP: SdkAppId = SdkAppId(1_400_000_001);
const OTHER: SdkAppId = SdkAppId(1_400_000_002);

fn moment() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn new(id: &str, app: SdkAppId, room: &str) -> NewDelivery {
    NewDelivery {
        id: id.to_owned(),
        app,
        receiver: DeliveryReceiver::Callback,
        url: "http://example.org/hook".to_owned(),
        room: RoomName::parse(room).unwrap(),
        event: "103".to_owned(),
        created_at: moment(),
        body: format!("{{\"id\":\"{id}\"}}").into_bytes(),
        failed: None,
    }
}

fn attempt(error: Option<&str>) -> DeliveryAttempt {
    let status = if error.is_some() { 500 } else { 200 };
    DeliveryAttempt {
        at: moment(),
        took_ms: 12,
        status: Some(status),
        error: error.map(str::to_owned),
    }
}

async fn ids(deliveries: &Deliveries, filter: DeliveryFilter) -> Vec<String> {
    let all = deliveries.list(APP, filter, None, 100).await.unwrap();
    all.into_iter().map(|delivery| delivery.id).collect()
}

#[tokio::test]
async fn what_was_kept_and_not_settled_is_taken_up_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let deliveries = Deliveries::open(folder.path()).unwrap();
    let batch = vec![new("a", APP, "int/7"), new("b", OTHER, "x"), new("c", APP, "int/7")];
    let turns = deliveries.append(batch).await.unwrap();
    assert_eq!(turns, [Some(1), Some(2), Some(3)]);
    deliveries.attempted(1, attempt(None), DeliveryState::Delivered).await.unwrap();
    deliveries.attempted(2, attempt(Some("no")), DeliveryState::Waiting).await.unwrap();
    // Leaked and not closed, as a killed program leaves it; its threads still have the file open.
    Box::leak(Box::new(deliveries));

    let again = Deliveries::open(folder.path()).unwrap();
    let expected = DeliveryCounts { waiting: 2, delivered: 1, failed: 0 };
    assert_eq!(again.counts().await.unwrap(), expected);
    let up = again.take_up(100, moment()).await.unwrap();
    let seen: Vec<_> = up.iter().map(|w| (w.turn, w.app, w.room.to_string())).collect();
    assert_eq!(seen, [(2, OTHER, "x".to_owned()), (3, APP, "int/7".to_owned())]);
    let out = again.outgoing(3).await.unwrap().unwrap();
    assert_eq!((out.id.as_str(), out.body.as_slice()), ("c", br#"{"id":"c"}"#.as_slice()));
    assert_eq!(again.outgoing(1).await.unwrap(), None, "a settled one is not sent again");
    assert_eq!(again.append(vec![new("d", APP, "x")]).await.unwrap(), [Some(4)]);
    assert_eq!(again.append(vec![new("d", APP, "x")]).await.unwrap(), [None], "the same id");
    // Above what may wait, the last are given up.
    assert_eq!(again.take_up(2, moment()).await.unwrap().len(), 2);
    let (delivery, _) = again.get(APP, "d").await.unwrap();
    assert_eq!(delivery.state, DeliveryState::Failed);
    assert_eq!(delivery.problem.as_deref(), Some("too many deliveries waited"));
}

#[tokio::test]
async fn the_log_is_listed_newest_first_by_state_room_and_event_and_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let deliveries = Deliveries::open(folder.path()).unwrap();
    let mut failed = new("c", APP, "b");
    (failed.failed, failed.event) = (Some("too many".to_owned()), "104".to_owned());
    let batch = vec![new("a", APP, "a"), new("b", APP, "b"), failed, new("x", OTHER, "a")];
    deliveries.append(batch).await.unwrap();
    deliveries.attempted(2, attempt(None), DeliveryState::Delivered).await.unwrap();

    let all = DeliveryFilter::default;
    assert_eq!(ids(&deliveries, all()).await, ["c", "b", "a"]);
    let state = |state| DeliveryFilter { state: Some(state), ..all() };
    assert_eq!(ids(&deliveries, state(DeliveryState::Waiting)).await, ["a"]);
    assert_eq!(ids(&deliveries, state(DeliveryState::Failed)).await, ["c"]);
    let room = DeliveryFilter { room: Some(RoomName::parse("b").unwrap()), ..all() };
    assert_eq!(ids(&deliveries, room.clone()).await, ["c", "b"]);
    let both = DeliveryFilter { event: Some("103".to_owned()), ..room };
    assert_eq!(ids(&deliveries, both).await, ["b"]);
    let first = deliveries.list(APP, all(), None, 2).await.unwrap();
    let rest = deliveries.list(APP, all(), Some(first[1].n), 2).await.unwrap();
    assert_eq!(rest.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["a"]);
    for limit in [0, PAGE_LEN_MAX + 1] {
        let error = deliveries.list(APP, all(), None, limit).await.unwrap_err();
        assert!(matches!(error, StoreError::Invalid { field: "limit", .. }), "{error}");
    }
    let (b, body) = deliveries.get(APP, "b").await.unwrap();
    assert_eq!((b.attempts, b.replays, b.last), (1, 0, Some(attempt(None))));
    assert_eq!(body, br#"{"id":"b"}"#);
    for (app, id) in [(APP, "x"), (OTHER, "a"), (APP, "'; DROP TABLE deliveries")] {
        let error = deliveries.get(app, id).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_replay_is_a_new_series_of_the_same_delivery() {
    let folder = tempfile::tempdir().unwrap();
    let deliveries = Deliveries::open(folder.path()).unwrap();
    deliveries.append(vec![new("a", APP, "a"), new("b", APP, "a")]).await.unwrap();
    let waiting = deliveries.replay(APP, "a", moment()).await.unwrap_err();
    assert!(matches!(waiting, StoreError::Invalid { field: "delivery", .. }), "{waiting}");
    deliveries.attempted(1, attempt(Some("no")), DeliveryState::Failed).await.unwrap();
    let before = deliveries.get(APP, "a").await.unwrap();
    let later = moment() + 1.hour();
    let again = deliveries.replay(APP, "a", later).await.unwrap();
    assert_eq!((again.turn, again.due_at), (3, later));
    assert_eq!(deliveries.outgoing(3).await.unwrap().unwrap().body, before.1);
    deliveries.attempted(3, attempt(None), DeliveryState::Delivered).await.unwrap();
    let (after, _) = deliveries.get(APP, "a").await.unwrap();
    assert_eq!((after.state, after.attempts, after.replays), (DeliveryState::Delivered, 2, 1));
    assert_eq!((after.n, after.created_at), (before.0.n, before.0.created_at));
    let counts = DeliveryCounts { waiting: 1, delivered: 1, failed: 0 };
    assert_eq!(deliveries.counts().await.unwrap(), counts);
    assert!(deliveries.replay(OTHER, "a", later).await.is_err(), "not another application's");
}

#[tokio::test]
async fn all_of_an_application_is_forgotten_and_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let deliveries = Deliveries::open(folder.path()).unwrap();
    let mut batch: Vec<_> =
        (0..limits::PRUNED_PER_CALL).map(|n| new(&format!("a{n}"), APP, "a")).collect();
    batch.push(new("b", OTHER, "a"));
    batch.push(new("c", APP, "int/7"));
    deliveries.append(batch).await.unwrap();
    deliveries.attempted(1, attempt(None), DeliveryState::Delivered).await.unwrap();
    deliveries.attempted(2, attempt(Some("no")), DeliveryState::Failed).await.unwrap();
    let most = u64::from(limits::PRUNED_PER_CALL);
    let rows = [(most, true), (1, false), (0, false)];
    for (removed, more) in rows {
        assert_eq!(deliveries.forget_app(APP).await.unwrap(), Pruned { removed, more });
    }
    // An attempt that was under way meanwhile.
    deliveries.attempted(3, attempt(None), DeliveryState::Delivered).await.unwrap();
    assert!(ids(&deliveries, DeliveryFilter::default()).await.is_empty());
    assert_eq!(deliveries.outgoing(3).await.unwrap(), None);
    assert!(deliveries.get(OTHER, "b").await.is_ok());
    let counts = DeliveryCounts { waiting: 1, delivered: 0, failed: 0 };
    assert_eq!(deliveries.counts().await.unwrap(), counts);
}

#[tokio::test]
async fn old_ones_leave_and_waiting_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let deliveries = Deliveries::open(folder.path()).unwrap();
    let batch = vec![new("a", APP, "a"), new("b", APP, "a"), new("c", APP, "a")];
    deliveries.append(batch).await.unwrap();
    deliveries.attempted(1, attempt(None), DeliveryState::Delivered).await.unwrap();
    deliveries.attempted(2, attempt(Some("no")), DeliveryState::Failed).await.unwrap();
    let second = SignedDuration::from_secs(1);
    let rows = [
        (DELIVERED_KEPT, 0, vec!["c", "b", "a"]),
        (DELIVERED_KEPT + second, 1, vec!["c", "b"]),
        (FAILED_KEPT, 0, vec!["c", "b"]),
        (FAILED_KEPT + second, 1, vec!["c"]),
        (FAILED_KEPT * 100, 0, vec!["c"]),
    ];
    for (age, removed, left) in rows {
        let pruned = deliveries.prune(moment() + age).await.unwrap();
        assert_eq!(pruned, Pruned { removed, more: false }, "{age}");
        assert_eq!(ids(&deliveries, DeliveryFilter::default()).await, left);
    }
    let counts = DeliveryCounts { waiting: 1, delivered: 0, failed: 0 };
    assert_eq!(deliveries.counts().await.unwrap(), counts);
}

#[tokio::test]
async fn what_is_too_much_leaves_oldest_first() {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(include_str!("schema.sql")).unwrap();
    // As many as may be and some more, without writing them one by one.
    conn.execute(
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ?1)
         INSERT INTO deliveries SELECT i, 'id' || i, 1, 'callback', '', 'r', 'e',
             iif(i % 2, 'failed', 'delivered'), i, 0, 0, 0, 0, 1000000 * i, NULL, NULL, NULL, NULL, x'00' FROM c",
        [i64::try_from(limits::SETTLED_ROWS_MAX).unwrap() + 5],
    )
    .unwrap();
    let mut tally = Tally::read(&conn).unwrap();
    let pruned = table::prune(&conn, &mut tally, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(pruned, Pruned { removed: 5, more: false });
    let first: i64 = conn.query_row("SELECT min(n) FROM deliveries", [], |row| row.get(0)).unwrap();
    assert_eq!(first, 6);
    assert_eq!(tally.counts.delivered + tally.counts.failed, limits::SETTLED_ROWS_MAX);
}

#[test]
fn foreign_files_stay_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DELIVERIES_FILE);
    std::fs::write(&path, "this is no database, and it is longer than a header of one is").unwrap();
    let error = Deliveries::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    std::fs::remove_file(&path).unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("CREATE TABLE t (a); PRAGMA application_id = 7").unwrap();
    let error = Deliveries::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    conn.execute_batch(&format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 9"
    ))
    .unwrap();
    let error = Deliveries::open(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::SchemaTooNew { found: 9, known: 1 }), "{error}");
}
