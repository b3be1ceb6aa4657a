use super::*;

#[test]
fn pauses_grow_threefold_to_a_bound_and_all_attempts_take_about_a_day() {
    let pauses: Vec<_> = (1..DELIVERY_ATTEMPTS_MAX).map(|n| pause(DELIVERY_PAUSE, n)).collect();
    assert_eq!(pauses[0], DELIVERY_PAUSE);
    assert_eq!(pauses[1], DELIVERY_PAUSE * 3);
    assert!(pauses.is_sorted());
    assert_eq!(*pauses.last().unwrap(), DELIVERY_PAUSE_MAX);
    assert_eq!(pause(DELIVERY_PAUSE, u32::MAX), DELIVERY_PAUSE_MAX);
    let day: Duration = pauses.iter().sum();
    assert!(day > Duration::from_hours(20) && day < Duration::from_hours(32), "{day:?}");
}

#[test]
fn half_deliveries_are_remembered_up_to_a_bound() {
    let mut half = Half::default();
    let taken = Taken { webhook: true, mail: false };
    assert!(!half.put("a", taken, 2));
    assert!(!half.put("a", taken, 2));
    assert!(!half.put("b", taken, 2));
    assert!(half.put("c", taken, 2));
    assert_eq!((half.get("a"), half.get("b"), half.get("c")), (Taken::default(), taken, taken));
    half.remove("b");
    half.remove("b");
    assert!(!half.put("d", taken, 2));
    assert_eq!((half.taken.len(), half.order.len()), (2, 2));
}

#[test]
fn errors_are_told_whole_and_cut_at_a_bound() {
    let source = std::io::Error::other("no route");
    let address = "192.0.2.1:80".parse().unwrap();
    let error = WebhookError::Connect { address, source };
    assert_eq!(chain(&error), "192.0.2.1:80 cannot be connected to: no route");
    let long = shortened("ä".repeat(DELIVERY_ERROR_BYTES_MAX));
    assert_eq!(long.len(), DELIVERY_ERROR_BYTES_MAX);
    assert_eq!(shortened("short".to_owned()), "short");
}
