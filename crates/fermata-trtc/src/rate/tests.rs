//! Buckets in made-up time.

use super::*;
use crate::action::{Service, find};

fn account(name: &str) -> AccountId {
    AccountId::from_text(name)
}

fn action(name: &str) -> &'static Action {
    find(Service::Trtc, name).unwrap()
}

/// How many calls in a row pass.
fn burst(limiter: &mut RateLimiter, who: &str, name: &str, now: Instant) -> u32 {
    (0..1000)
        .take_while(|_| limiter.take(&account(who), action(name), now).is_ok())
        .map(|_| 1)
        .sum()
}

fn start() -> Instant {
    fermata_types::Now::read().instant
}

#[test]
fn an_account_has_the_vendors_rates_by_action() {
    let mut limiter = RateLimiter::default();
    let now = start();
    assert_eq!(burst(&mut limiter, "a", "RemoveUser", now), 20);
    assert_eq!(burst(&mut limiter, "a", "DismissRoom", now), 20, "another action");
    assert_eq!(burst(&mut limiter, "b", "RemoveUser", now), 20, "another account");
    assert_eq!(burst(&mut limiter, "a", "DescribeTrtcUsage", now), 5);
    assert_eq!(burst(&mut limiter, "a", "DescribeTrtcRoomUsage", now), 1);
    assert_eq!(limiter.len(), 5);
    let second = now + Duration::from_secs(1);
    assert_eq!(burst(&mut limiter, "a", "RemoveUser", second), 20);
    assert_eq!(burst(&mut limiter, "a", "DescribeTrtcRoomUsage", second), 0);
    let quarter = now + Duration::from_secs(15);
    assert_eq!(burst(&mut limiter, "a", "DescribeTrtcRoomUsage", quarter), 1);
}

#[test]
fn the_answer_says_what_is_allowed() {
    let mut limiter = RateLimiter::new(Rates { default_per_s: 0, usage_per_s: 2 });
    let now = start();
    assert_eq!(burst(&mut limiter, "a", "RemoveUser", now), 1, "0 counts as 1");
    assert_eq!(burst(&mut limiter, "a", "DescribeTrtcUsage", now), 2);
    burst(&mut limiter, "a", "DescribeTrtcRoomUsage", now);
    for (name, word) in
        [("DescribeTrtcUsage", "2 calls a second"), ("DescribeTrtcRoomUsage", "1 call in 15 s")]
    {
        let error = limiter.take(&account("a"), action(name), now).unwrap_err();
        assert_eq!(error.code, Code::REQUEST_LIMIT_EXCEEDED);
        assert!(error.message.contains(word) && error.message.contains(name), "{error}");
    }
}

#[test]
fn a_full_limiter_drops_full_buckets_only() {
    let mut limiter = RateLimiter::bounded(Rates::default(), 2);
    let now = start();
    assert_eq!(burst(&mut limiter, "a", "RemoveUser", now), 20);
    assert!(limiter.take(&account("b"), action("RemoveUser"), now).is_ok());
    let error = limiter.take(&account("c"), action("RemoveUser"), now).unwrap_err();
    assert_eq!(error.code, Code::REQUEST_LIMIT_EXCEEDED);
    let soon = now + Duration::from_millis(60);
    assert!(limiter.take(&account("c"), action("RemoveUser"), soon).is_ok(), "b's is full again");
    assert_eq!(limiter.len(), 2);
    assert_eq!(burst(&mut limiter, "a", "RemoveUser", soon), 1, "a's was kept");
}

proptest::proptest! {
    /// In no window of a second do more than twice the rate pass, and over a long time never more than rate and burst.
    #[test]
    fn the_rate_holds_over_any_time(steps in proptest::collection::vec(0u64..200, 1..300)) {
        let mut limiter = RateLimiter::default();
        let begin = start();
        let (mut now, mut passed) = (begin, 0_u64);
        for step in steps {
            now += Duration::from_millis(step);
            passed += u64::from(burst(&mut limiter, "a", "RemoveUser", now));
            let elapsed = u64::try_from((now - begin).as_millis()).unwrap();
            proptest::prop_assert!(passed <= 20 + elapsed / 50);
        }
    }
}
