//! Orders of arrival: first packets, wraps, late packets, replays.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Takes a packet as a receiver would: estimate, then commit.
fn take(window: &mut ReplayWindow, seq: u16) -> Result<u64, Replayed> {
    let index = window.estimate(seq)?;
    window.commit(index);
    Ok(index)
}

const ROUND: u64 = 1 << 16;

#[test]
fn orders_of_arrival_give_the_right_index() {
    let table: [(&str, &[u16], &[u64]); 8] = [
        ("in order", &[7, 8, 9], &[7, 8, 9]),
        ("first is zero", &[0, 1], &[0, 1]),
        ("late before the first", &[100, 99, 101, 98], &[100, 99, 101, 98]),
        ("wrap", &[65_534, 65_535, 0, 1], &[65_534, 65_535, ROUND, ROUND + 1]),
        ("late across the wrap", &[65_534, 0, 65_535, 1], &[65_534, ROUND, 65_535, ROUND + 1]),
        ("wrap with a hole", &[65_000, 400, 65_001], &[65_000, ROUND + 400, 65_001]),
        ("half a round up", &[0, 32_768, 32_769], &[0, 32_768, 32_769]),
        (
            "two rounds",
            &[40_000, 5_000, 37_000, 2_000, 1_999],
            &[40_000, ROUND + 5_000, ROUND + 37_000, 2 * ROUND + 2_000, 2 * ROUND + 1_999],
        ),
    ];
    for (name, order, indices) in table {
        let mut window = ReplayWindow::new();
        for (seq, want) in order.iter().zip(indices) {
            assert_eq!(take(&mut window, *seq), Ok(*want), "{name}: {seq}");
        }
    }
}

#[test]
fn half_a_round_away_is_taken_as_the_rfc_does() {
    // RFC 3711 appendix A compares strictly: at exactly half a round the packet is of the same round.
    let table = [
        (ROUND + 5, 0x8005, ROUND + 0x8005),
        (ROUND + 5, 0x8006, 0x8006),
        (ROUND + 0x8000, 0, ROUND),
        (ROUND + 0x8001, 0, 2 * ROUND),
        (ROUND + 0x8001, 1, ROUND + 1),
    ];
    for (highest, seq, index) in table {
        let mut window = ReplayWindow::new();
        window.commit(highest);
        let want =
            if index > highest { Ok(index) } else { Err(Replayed::TooOld { index, highest }) };
        assert_eq!(window.estimate(seq), want, "{highest:x} {seq:x}");
    }
}

#[test]
fn replays_are_refused() {
    let mut window = ReplayWindow::new();
    for seq in [65_530, 65_535, 2, 1, 65_531] {
        take(&mut window, seq).unwrap();
    }
    for seq in [65_530, 65_535, 2, 1, 65_531] {
        assert!(matches!(take(&mut window, seq), Err(Replayed::Seen { .. })), "{seq}");
    }
    assert_eq!(take(&mut window, 0), Ok(ROUND));
}

#[test]
fn the_window_is_1024_wide() {
    let mut window = ReplayWindow::new();
    take(&mut window, 5_000).unwrap();
    assert_eq!(window.estimate(5_000 - 1_023), Ok(3_977));
    assert_eq!(
        window.estimate(5_000 - 1_024),
        Err(Replayed::TooOld { index: 3_976, highest: 5_000 })
    );
}

#[test]
fn an_estimate_alone_changes_nothing() {
    let mut window = ReplayWindow::new();
    assert_eq!(window.estimate(9), Ok(9));
    assert_eq!(window.highest(), None);
    window.commit(9);
    for seq in 10..40_000 {
        // A forger tries; what follows is still nearest to 9.
        let _ = window.estimate(seq);
    }
    assert_eq!(window.highest(), Some(9));
    assert_eq!(window.estimate(10), Ok(10));
}

#[test]
fn the_ends_of_the_index_are_named() {
    let mut window = ReplayWindow::new();
    window.commit(3);
    assert_eq!(window.estimate(65_535), Err(Replayed::BeforeStart { sequence_number: 65_535 }));
    window.commit(MAX_RTP_INDEX);
    assert_eq!(window.estimate(0), Err(Replayed::Exhausted { sequence_number: 0 }));
    assert_eq!(window.estimate(65_534), Ok(MAX_RTP_INDEX - 1));
}

#[test]
fn explicit_indices_are_checked_without_estimation() {
    let mut window = ReplayWindow::new();
    for index in [1, 2, 100_000, 99_999] {
        assert_eq!(window.check(index), Ok(()), "{index}");
        window.commit(index);
        assert_eq!(window.check(index), Err(Replayed::Seen { index }));
    }
    assert!(matches!(window.check(2), Err(Replayed::TooOld { .. })));
    window.commit(2);
    assert_eq!(window.highest(), Some(100_000), "an index that left the window changes nothing");
}

proptest! {
    /// Against a set of everything: whatever the true order (steps forward and back of less than half a round),
    /// the estimate is the true index, and it is refused exactly if it came before or left the window.
    #[test]
    fn agrees_with_a_list_of_everything(
        start in 0_u64..70_000,
        steps in proptest::collection::vec(prop_oneof![
            4 => -40_i64..60,
            2 => -1_100_i64..1_100,
            1 => 0_i64..30_000,
        ], 1..400),
    ) {
        let mut window = ReplayWindow::new();
        let mut all = BTreeSet::new();
        // The receiver joins at rollover counter zero.
        let mut highest = start & 0xffff;
        prop_assert_eq!(take(&mut window, u16::try_from(highest).unwrap()), Ok(highest));
        all.insert(highest);
        for step in steps {
            let Some(index) = highest.checked_add_signed(step) else { continue };
            let seq = u16::try_from(index & 0xffff).unwrap();
            let got = take(&mut window, seq);
            if index + REPLAY_WINDOW <= highest {
                prop_assert_eq!(got, Err(Replayed::TooOld { index, highest }));
            } else if all.contains(&index) {
                prop_assert_eq!(got, Err(Replayed::Seen { index }));
            } else {
                prop_assert_eq!(got, Ok(index));
                all.insert(index);
                highest = highest.max(index);
            }
            prop_assert_eq!(window.highest(), Some(highest));
        }
    }
}
