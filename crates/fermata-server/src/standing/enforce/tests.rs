use fermata_billing::hold::HoldKind;
use fermata_types::Scene;

use super::*;

fn app(epoch: u64) -> App {
    App {
        sdk_app_id: SdkAppId(1_400_000_001),
        account: AccountId::from_text("AC_1"),
        name: "App".to_owned(),
        default_scene: Scene::Call,
        disconnect_timeout_s: 30,
        private_map_required: false,
        created_at: Timestamp::UNIX_EPOCH,
        epoch,
    }
}

fn of(holds: &[HoldKind], cleared: bool) -> AppVerdict {
    let open = holds.is_empty() && !cleared;
    let dismiss = cleared || holds.contains(&HoldKind::Violation);
    AppVerdict {
        app: SdkAppId(1_400_000_001),
        epoch: 7,
        holds: holds.to_vec(),
        cleared,
        enter: open,
        resume: !dismiss,
        dismiss,
    }
}

/// Holds, cleared, stale; reasons, and may those inside stay.
type Row = (&'static [HoldKind], bool, bool, &'static [Reason], bool);

#[test]
fn i14_reasons_are_the_holds_in_their_order() {
    let rows: &[Row] = &[
        (&[], false, false, &[], true),
        (&[HoldKind::Arrears], false, false, &[Reason::Arrears], true),
        (
            &[HoldKind::Manual, HoldKind::Arrears],
            false,
            false,
            &[Reason::AppDisabled, Reason::Arrears],
            true,
        ),
        (&[HoldKind::Violation], false, false, &[Reason::Violation], false),
        (&[HoldKind::Arrears], true, false, &[Reason::Cleared, Reason::Arrears], false),
        // Too old to admit by (A23); whoever is inside stays.
        (&[], false, true, &[Reason::Unavailable], true),
        (&[HoldKind::Admin], false, true, &[Reason::Admin, Reason::Unavailable], true),
    ];
    for (holds, cleared, stale, reasons, inside) in rows {
        let verdict = verdict(&of(holds, *cleared), &app(3), 5_000_000, *stale);
        assert_eq!(verdict.refused, *reasons);
        assert_eq!(verdict.inside, *inside, "{holds:?}");
        assert_eq!(verdict.epoch, 10, "both epochs count");
        assert_eq!(verdict.clock_offset, SignedDuration::from_secs(5));
        assert_eq!(verdict.disconnect_timeout, Duration::from_secs(30));
        assert_eq!(verdict.default_scene, Scene::Call);
    }
}
