//! The agent against peers of many kinds.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use fermata_types::Now;
use proptest::prelude::*;

use super::agent::Counters;
use super::credentials::generate;
use super::*;
use crate::candidates::{HostCandidates, Protocol};
use crate::egress::{Egress, Path};
use crate::parts::Credentials;
use crate::stun::{Class, Message, Writer, attribute};

const REMOTE: &str = "them";
const REMOTE_PWD: &str = "0123456789012345678901";

/// A check as a peer would write it; the default is a good one.
#[derive(Clone)]
struct Check {
    username: Option<String>,
    pwd: Option<String>,
    priority: Option<u32>,
    nominates: bool,
    role: Option<u16>,
    unknown: Vec<u16>,
    has_fingerprint: bool,
    kind: u16,
    padding: usize,
}

impl Check {
    fn of(agent: &IceLite) -> Self {
        let local = agent.local();
        Self {
            username: Some(format!("{}:{REMOTE}", local.ufrag)),
            pwd: Some(local.pwd.clone()),
            priority: Some(100),
            nominates: false,
            role: Some(attribute::ICE_CONTROLLING),
            unknown: Vec::new(),
            has_fingerprint: true,
            kind: 0x0001,
            padding: 0,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; 1_200];
        let mut writer = Writer::new(&mut out, self.kind, b"transaction.").unwrap();
        if self.padding > 0 {
            writer.attribute(0x8022, &[&vec![b' '; self.padding]]).unwrap();
        }
        if let Some(username) = &self.username {
            writer.attribute(attribute::USERNAME, &[username.as_bytes()]).unwrap();
        }
        if let Some(priority) = self.priority {
            writer.attribute(attribute::PRIORITY, &[&priority.to_be_bytes()]).unwrap();
        }
        if let Some(role) = self.role {
            writer.attribute(role, &[&[1; 8]]).unwrap();
        }
        if self.nominates {
            writer.attribute(attribute::USE_CANDIDATE, &[]).unwrap();
        }
        for kind in &self.unknown {
            writer.attribute(*kind, &[b"?"]).unwrap();
        }
        if let Some(pwd) = &self.pwd {
            writer.integrity(&key(pwd)).unwrap();
        }
        let len = writer.fingerprint().unwrap();
        out.truncate(len);
        if !self.has_fingerprint {
            out.truncate(len - 8);
            let told = u16::try_from(len - 28).unwrap();
            out[2..4].copy_from_slice(&told.to_be_bytes());
        }
        out
    }
}

fn key(pwd: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes())
}

fn remote(ufrag: &str) -> Credentials {
    Credentials { ufrag: ufrag.to_owned(), pwd: REMOTE_PWD.to_owned() }
}

fn ours() -> SocketAddr {
    "192.0.2.1:7882".parse().unwrap()
}

fn ours_over_tcp() -> SocketAddr {
    "192.0.2.1:7881".parse().unwrap()
}

fn theirs(port: u16) -> SocketAddr {
    ([203, 0, 113, 9], port).into()
}

struct World {
    agent: IceLite,
    out: Egress,
    now: Instant,
}

impl World {
    /// Before the peer's description.
    fn early() -> Self {
        let agent =
            IceLite::new(generate(&[1; 32]), HostCandidates::new(&[ours()], &[ours_over_tcp()]));
        Self { agent, out: Egress::new(100_000, 1_000), now: Now::read().instant }
    }

    fn new() -> Self {
        let mut world = Self::early();
        world.agent.set_remote(remote(REMOTE));
        world
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    fn take(&mut self, port: u16, data: &[u8]) -> Result<IceEvent, Refused> {
        self.agent.handle(self.now, theirs(port), ours(), data, &mut self.out)
    }

    fn check(&mut self, port: u16, priority: u32, nominates: bool) -> IceEvent {
        let check = Check { priority: Some(priority), nominates, ..Check::of(&self.agent) };
        self.take(port, &check.bytes()).unwrap()
    }

    fn selected(&self) -> Option<u16> {
        self.agent.selected().map(|path| {
            assert_eq!(path.source, ours());
            path.destination.port()
        })
    }

    /// Error codes of answers since the last call, 0 for a success, and whether they are signed.
    fn answers(&mut self) -> Vec<(u16, bool)> {
        let answers = self.out.datagrams().map(|(path, data)| {
            let message = Message::parse(data).unwrap();
            assert!(message.has_good_fingerprint() && message.transaction == *b"transaction.");
            assert_eq!(path.source, ours());
            let signed = message.has_integrity();
            match message.class {
                Class::Success => assert_eq!(message.mapped, Some(path.destination)),
                class => assert_eq!(class, Class::Error),
            }
            (message.error.unwrap_or_default(), signed)
        });
        let answers = answers.collect();
        self.out.clear();
        answers
    }
}

#[test]
fn credentials_are_long_random_and_hidden() {
    let one = generate(&[1; 32]);
    assert_eq!(one, generate(&[1; 32]));
    let other = generate(&[2; 32]);
    assert!(one.ufrag != other.ufrag && one.pwd != other.pwd);
    // 72 and 144 bits.
    assert_eq!((one.ufrag.len(), one.pwd.len()), (12, 24));
    let shown = format!(
        "{:?}",
        IceLite::new(generate(&[1; 32]), HostCandidates::new(&[ours()], &[ours_over_tcp()]))
    );
    assert!(shown.contains(&one.ufrag) && !shown.contains(&one.pwd));
    let mut seen: Vec<char> =
        (0..=255).flat_map(|seed| generate(&[seed; 32]).pwd.into_bytes()).map(char::from).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 64, "every character is used");
}

#[test]
fn a_check_is_answered_and_its_path_selected() {
    let mut world = World::new();
    assert_eq!((world.selected(), world.agent.next_timeout()), (None, None));
    assert!(!world.agent.is_heard(world.now) && !world.agent.knows(theirs(1), ours()));
    let data = Check::of(&world.agent).bytes();
    assert!(world.agent.accepts(&data));
    assert_eq!(world.take(1, &data), Ok(IceEvent::Connected));
    let (path, answer) = world.out.datagrams().next().unwrap();
    assert_eq!(path, Path { source: ours(), destination: theirs(1) });
    let answer = Message::parse(answer).unwrap();
    assert!(answer.verify(&key(&world.agent.local().pwd)));
    assert_eq!(world.answers(), [(0, true)]);
    assert_eq!(world.selected(), Some(1));
    assert!(world.agent.is_heard(world.now) && world.agent.knows(theirs(1), ours()));
    assert_eq!(world.check(1, 100, true), IceEvent::Unchanged);
    assert_eq!(world.agent.counters(), Counters { granted: 2, ..Counters::default() });
}

/// What is wrong, the check, how it is refused, and the answers as of [`World::answers`].
type Row = (&'static str, Check, Refused, &'static [(u16, bool)]);

#[test]
fn what_cannot_be_granted_is_told_or_passed_over() {
    use Refused as R;
    let good = Check::of(&World::new().agent);
    let ufrag = World::new().agent.local().ufrag.clone();
    let rows: Vec<Row> = vec![
        ("no user", Check { username: None, ..good.clone() }, R::NoCredentials, &[(400, false)]),
        ("no integrity", Check { pwd: None, ..good.clone() }, R::NoCredentials, &[(400, false)]),
        (
            "so short that the answer would be longer",
            Check { username: None, pwd: None, priority: None, role: None, ..good.clone() },
            R::NoCredentials,
            &[],
        ),
        (
            "other fragment",
            Check { username: Some("else:them".to_owned()), ..good.clone() },
            R::UserName,
            &[(401, false)],
        ),
        (
            "both round the wrong way",
            Check { username: Some(format!("{REMOTE}:{ufrag}")), ..good.clone() },
            R::UserName,
            &[(401, false)],
        ),
        (
            "longer fragment",
            Check { username: Some(format!("{ufrag}x:{REMOTE}")), ..good.clone() },
            R::UserName,
            &[(401, false)],
        ),
        (
            "empty",
            Check { username: Some(String::new()), ..good.clone() },
            R::UserName,
            &[(401, false)],
        ),
        (
            "wrong password",
            Check { pwd: Some("wrong".to_owned()), ..good.clone() },
            R::Integrity,
            &[(401, false)],
        ),
        (
            "the peer's own password",
            Check { pwd: Some(REMOTE_PWD.to_owned()), ..good.clone() },
            R::Integrity,
            &[(401, false)],
        ),
        (
            "of a description that is on its way",
            Check { username: Some(format!("{ufrag}:newer")), ..good.clone() },
            R::PeerName,
            &[],
        ),
        ("no second half", Check { username: Some(ufrag), ..good.clone() }, R::PeerName, &[]),
        ("no fingerprint", Check { has_fingerprint: false, ..good.clone() }, R::Fingerprint, &[]),
        ("indication", Check { kind: 0x0011, ..good.clone() }, R::NotARequest, &[]),
        ("answer", Check { kind: 0x0101, ..good.clone() }, R::NotARequest, &[]),
        ("refusal", Check { kind: 0x0111, ..good.clone() }, R::NotARequest, &[]),
        ("allocation", Check { kind: 0x0003, ..good.clone() }, R::NotARequest, &[]),
        (
            "unknown attributes",
            Check { unknown: (0x30..0x60).collect(), ..good.clone() },
            R::UnknownAttribute,
            &[(420, true)],
        ),
        (
            "controlled too",
            Check { role: Some(attribute::ICE_CONTROLLED), ..good.clone() },
            R::RoleConflict,
            &[(487, true)],
        ),
        ("no priority", Check { priority: None, ..good }, R::NoPriority, &[(400, true)]),
    ];
    for (what, check, refused, answers) in rows {
        let mut world = World::new();
        let data = check.bytes();
        assert_eq!(world.take(1, &data), Err(refused), "{what}");
        let sent = world.out.bytes_len();
        assert!(sent <= data.len(), "{what}: {sent} bytes for {}", data.len());
        assert_eq!(world.answers(), answers, "{what}");
        assert_eq!(world.selected(), None, "{what}");
        assert!(!world.agent.is_heard(world.now), "{what}");
        let authenticated = answers.iter().any(|(_, signed)| *signed);
        assert_eq!(world.agent.accepts(&data), authenticated, "{what}");
        let counters = world.agent.counters();
        assert_eq!(
            (counters.granted, counters.refused, counters.not_authenticated),
            (0, u64::from(authenticated), u64::from(!authenticated)),
            "{what}"
        );
    }
}

#[test]
fn forged_checks_draw_few_answers_and_harm_nobody() {
    let mut world = World::new();
    let forged = Check { pwd: Some("forged".to_owned()), ..Check::of(&world.agent) }.bytes();
    let (mut answered, mut sent) = (0, 0);
    // A thousand in a second, each from another address that its owner never heard of us.
    for port in 1..=1_000 {
        assert_eq!(world.take(port, &forged), Err(Refused::Integrity));
        sent += world.out.bytes_len();
        answered += world.answers().len();
        world.wait(1);
    }
    assert_eq!(answered, 10 + 4, "the burst and what came back within the second");
    assert!(sent <= answered * forged.len());
    assert_eq!(world.agent.counters().passed_over, 1_000 - 14);
    assert_eq!(world.agent.counters().not_authenticated, 1_000);
    // The peer itself is heard and answered all the same, and so is its mistake.
    assert_eq!(world.check(1, 100, true), IceEvent::Connected);
    assert_eq!(world.answers(), [(0, true)]);
    let controlled = Check { role: Some(attribute::ICE_CONTROLLED), ..Check::of(&world.agent) };
    assert_eq!(world.take(1, &controlled.bytes()), Err(Refused::RoleConflict));
    assert_eq!(world.answers(), [(487, true)]);
    // Quiet fills the bucket again, and no further.
    world.wait(60_000);
    for _ in 0..100 {
        assert_eq!(world.take(2, &forged), Err(Refused::Integrity));
    }
    assert_eq!(world.answers().len(), 10);
}

#[test]
fn what_peers_may_leave_out_is_granted() {
    let good = Check::of(&World::new().agent);
    let rows = [
        ("old peers say no role", Check { role: None, ..good.clone() }),
        ("attributes that may be passed over", Check { unknown: vec![0xC057], ..good.clone() }),
        ("long ones", Check { padding: 700, ..good }),
    ];
    for (what, check) in rows {
        assert_eq!(World::new().take(1, &check.bytes()), Ok(IceEvent::Connected), "{what}");
    }
    let mut world = World::new();
    world.check(1, 100, true);
    let consent = Check { priority: None, ..Check::of(&world.agent) };
    assert_eq!(world.take(1, &consent.bytes()), Ok(IceEvent::Unchanged), "on a known pair");
}

#[test]
fn checks_before_the_description_count() {
    for (fragment, keeps) in [(REMOTE, true), ("else", false)] {
        let mut world = World::early();
        assert_eq!(world.check(1, 100, true), IceEvent::Connected);
        assert_eq!(world.answers(), [(0, true)]);
        assert_eq!(world.selected(), Some(1));
        world.agent.set_remote(remote(fragment));
        assert_eq!(world.selected().is_some(), keeps, "{fragment}");
        assert_eq!(world.agent.is_heard(world.now), keeps, "{fragment}");
        assert_eq!(world.agent.next_timeout().is_some(), keeps, "{fragment}");
    }
}

/// Steps: milliseconds since the one before, port (= pair), priority, nominates; then the pair that is selected.
#[test]
fn the_pair_that_the_peer_wants_is_selected() {
    type Step = (u64, u16, u32, bool, u16);
    let rows: [(&str, &[Step]); 12] = [
        (
            "the best before any is nominated",
            &[
                (0, 1, 100, false, 1),
                (10, 2, 90, false, 1),
                (10, 3, 110, false, 3),
                (10, 1, 100, false, 3),
            ],
        ),
        (
            "a silent one yields before any is nominated",
            &[(0, 1, 100, false, 1), (2_000, 2, 90, false, 2)],
        ),
        (
            "the first nominated over a better one that is not",
            &[(0, 1, 110, false, 1), (10, 2, 90, true, 2), (10, 1, 110, false, 2)],
        ),
        (
            "all nominated: the best stays",
            &[
                (0, 1, 90, true, 1),
                (10, 2, 110, true, 2),
                (10, 3, 100, true, 2),
                (10, 1, 90, true, 2),
            ],
        ),
        (
            "all nominated, again and again: no flutter",
            &[
                (0, 1, 100, true, 1),
                (10, 2, 100, true, 2),
                (10, 1, 100, true, 2),
                (10, 2, 100, true, 2),
                (10, 1, 100, true, 2),
            ],
        ),
        ("a later one of equal priority", &[(0, 1, 100, true, 1), (10, 2, 100, true, 2)]),
        (
            "the peer has taken its nomination back",
            &[
                (0, 1, 110, true, 1),
                (10, 1, 110, false, 1),
                (10, 2, 90, true, 2),
                (10, 1, 110, false, 2),
            ],
        ),
        (
            "the network of the nominated one has gone",
            &[
                (0, 1, 110, true, 1),
                (1_000, 2, 90, true, 1),
                (999, 2, 90, true, 1),
                (1, 2, 90, true, 2),
                (10, 2, 90, true, 2),
            ],
        ),
        ("and is back", &[(0, 1, 110, true, 1), (2_500, 2, 90, true, 2), (500, 1, 110, true, 1)]),
        (
            "a nominated one does not yield to one that is not",
            &[(0, 1, 90, true, 1), (9_000, 2, 110, false, 1)],
        ),
        ("a priority may change", &[(0, 1, 90, true, 1), (1, 2, 80, true, 1), (1, 2, 95, true, 2)]),
        (
            "consent alone keeps the choice",
            &[
                (0, 1, 90, true, 1),
                (1, 2, 80, false, 1),
                (5_000, 1, 90, false, 1),
                (5_000, 1, 90, false, 1),
            ],
        ),
    ];
    for (what, steps) in rows {
        let mut world = World::new();
        for (at, (wait, port, priority, nominates, selected)) in steps.iter().enumerate() {
            world.wait(*wait);
            let before = world.selected();
            let event = world.check(*port, *priority, *nominates);
            assert_eq!(world.selected(), Some(*selected), "{what}, step {at}");
            let expected = match before {
                None => IceEvent::Connected,
                Some(before) if before == *selected => IceEvent::Unchanged,
                Some(_) => IceEvent::PathChanged,
            };
            assert_eq!(event, expected, "{what}, step {at}");
        }
    }
}

#[test]
fn pairs_are_bounded_and_the_selected_one_is_kept() {
    let mut world = World::new();
    world.check(1, 100, true);
    for port in 2..1_000 {
        world.wait(1);
        world.check(port, 50, false);
        world.out.clear();
    }
    assert_eq!(world.selected(), Some(1));
    assert_eq!(world.agent.counters().pairs_dropped, 999 - PAIRS_MAX as u64);
    let known =
        (1..1_000).filter(|port| world.agent.knows(theirs(*port), ours())).collect::<Vec<_>>();
    let newest = (1..1_000).skip(1_000 - PAIRS_MAX);
    assert_eq!(known, std::iter::once(1).chain(newest).collect::<Vec<_>>());
    assert!(!world.agent.knows(theirs(999), "192.0.2.1:7883".parse().unwrap()), "our other port");
}

#[test]
fn silence_is_noticed_and_so_is_the_return() {
    let mut world = World::new();
    assert_eq!(world.agent.handle_timeout(world.now + Duration::from_hours(1)), None);
    world.check(1, 100, true);
    world.wait(5_000);
    world.check(1, 100, true);
    let due = world.now + SILENCE_MAX;
    assert_eq!(world.agent.next_timeout(), Some(due));
    // Only checks count, and only those of the peer.
    world.wait(10_000);
    let stranger = Check { pwd: Some("wrong".to_owned()), ..Check::of(&world.agent) };
    world.take(1, &stranger.bytes()).unwrap_err();
    let conflict = Check { role: Some(attribute::ICE_CONTROLLED), ..Check::of(&world.agent) };
    world.take(1, &conflict.bytes()).unwrap_err();
    assert_eq!(world.agent.next_timeout(), Some(due));
    let before = due.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(world.agent.handle_timeout(before), None);
    assert!(world.agent.is_heard(before) && !world.agent.is_heard(due));
    assert_eq!(world.agent.handle_timeout(due), Some(IceEvent::Disconnected));
    assert_eq!(world.agent.handle_timeout(due), None, "told once");
    assert_eq!((world.selected(), world.agent.next_timeout()), (None, None));
    world.now = due + Duration::from_mins(1);
    assert_eq!(world.check(1, 100, false), IceEvent::Connected);
    assert_eq!(world.selected(), Some(1));
}

#[test]
fn a_silent_pair_is_left_for_one_that_is_heard() {
    let mut world = World::new();
    world.check(1, 100, true);
    world.check(2, 90, false);
    world.check(3, 80, false);
    for _ in 0..14 {
        world.wait(1_000);
        world.check(3, 80, false);
        assert_eq!(world.agent.handle_timeout(world.now), None);
    }
    assert_eq!(world.selected(), Some(1));
    let due = world.agent.next_timeout().unwrap();
    assert_eq!(due, world.now + Duration::from_secs(1));
    assert_eq!(world.agent.handle_timeout(due), Some(IceEvent::PathChanged));
    assert_eq!(world.selected(), Some(3));
    assert!(!world.agent.knows(theirs(1), ours()) && !world.agent.knows(theirs(2), ours()));
}

#[test]
fn a_restart_takes_over_with_its_first_check() {
    let mut world = World::new();
    world.check(1, 100, true);
    let old = Check::of(&world.agent);
    let before = world.agent.local().clone();
    world.agent.restart(generate(&[2; 32]));
    assert_ne!(world.agent.local(), &before);
    assert_eq!(world.agent.remote(), None);
    world.wait(1_000);
    assert_eq!(world.take(1, &old.bytes()), Ok(IceEvent::Unchanged), "the old ones are still good");
    world.agent.set_remote(remote("newer"));
    assert_eq!(world.take(1, &old.bytes()), Ok(IceEvent::Unchanged), "with the peer's old name");
    world.answers();
    let username = Some(format!("{}:newer", world.agent.local().ufrag));
    let new = Check { username, priority: Some(10), ..Check::of(&world.agent) };
    let mixed = Check { pwd: Some(before.pwd), ..new.clone() };
    assert_eq!(world.take(1, &mixed.bytes()), Err(Refused::Integrity));
    let stale =
        Check { username: Some(format!("{}:{REMOTE}", world.agent.local().ufrag)), ..new.clone() };
    assert_eq!(world.take(2, &stale.bytes()), Err(Refused::PeerName));
    assert_eq!(world.answers(), [(401, false)]);
    // Media stays where it is until a pair of the new session is nominated, whatever its priority.
    assert_eq!(world.take(2, &new.bytes()), Ok(IceEvent::Unchanged));
    assert_eq!(world.selected(), Some(1));
    assert_eq!(world.take(1, &old.bytes()), Err(Refused::UserName), "the old ones are not");
    let nominated = Check { nominates: true, ..new };
    assert_eq!(world.take(2, &nominated.bytes()), Ok(IceEvent::PathChanged));
    assert_eq!(world.selected(), Some(2));
    assert_eq!(world.take(1, &nominated.bytes()), Ok(IceEvent::PathChanged), "equal and later");
}

#[test]
fn a_restart_after_the_network_has_gone_needs_no_nomination() {
    let mut world = World::new();
    world.check(1, 100, true);
    world.agent.restart(generate(&[2; 32]));
    world.wait(3_000);
    assert_eq!(world.check(2, 10, false), IceEvent::PathChanged);
    assert_eq!(world.selected(), Some(2));
    // The description comes after the check.
    world.agent.set_remote(remote(REMOTE));
    assert_eq!(world.selected(), Some(2));
    assert!(world.agent.knows(theirs(1), ours()), "what is still on its way from there is taken");
}

#[test]
fn only_the_latest_restart_is_good() {
    let mut world = World::new();
    world.check(1, 100, true);
    let first = Check::of(&world.agent);
    world.agent.restart(generate(&[2; 32]));
    let second = Check::of(&world.agent);
    world.agent.restart(generate(&[3; 32]));
    let third = Check::of(&world.agent);
    assert_eq!(world.take(1, &second.bytes()), Err(Refused::UserName));
    assert_eq!(world.take(1, &first.bytes()), Ok(IceEvent::Unchanged));
    assert_eq!(world.take(1, &third.bytes()), Ok(IceEvent::Unchanged));
    assert_eq!(world.take(1, &first.bytes()), Err(Refused::UserName));
}

#[test]
fn a_full_buffer_loses_the_answer_alone() {
    let mut world = World::new();
    world.out = Egress::new(10, 1);
    assert_eq!(world.check(1, 100, true), IceEvent::Connected);
    assert_eq!((world.out.len(), world.out.dropped()), (0, 1));
    assert_eq!(world.selected(), Some(1));
}

proptest! {
    /// Whatever a peer that knows our password does: a pair is selected as long as it is heard, within the limit.
    #[test]
    fn somewhere_is_always_selected(
        steps in proptest::collection::vec(
            (0_u64..9_000, 0_u16..40, 0_u32..4, any::<bool>(), 0_u8..20),
            1..200,
        ),
    ) {
        let mut world = World::new();
        for (wait, port, priority, nominates, other) in steps {
            world.wait(wait);
            let event = world.agent.handle_timeout(world.now);
            let heard = world.agent.is_heard(world.now);
            prop_assert!(event != Some(IceEvent::Disconnected) || !heard);
            if other == 0 {
                world.agent.restart(generate(&[u8::try_from(port).unwrap(); 32]));
                world.agent.set_remote(remote(REMOTE));
            }
            world.check(port + 1, priority, nominates);
            world.out.clear();
            let selected = world.selected().map(theirs);
            prop_assert!(selected.is_some_and(|at| world.agent.knows(at, ours())));
            prop_assert!(world.agent.next_timeout().is_some_and(|due| due > world.now));
            let known = (1..=40).filter(|port| world.agent.knows(theirs(*port), ours())).count();
            prop_assert!(known <= PAIRS_MAX);
        }
    }

    #[test]
    fn any_bytes_are_refused(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut world = World::new();
        prop_assert!(world.take(1, &data).is_err());
        prop_assert_eq!(world.selected(), None);
    }
}

/// A check that came in over TCP or UDP, from port 1 either way; then over what media goes.
fn over(world: &mut World, protocol: Protocol, priority: u32, nominates: bool) -> Protocol {
    let to = match protocol {
        Protocol::Udp => ours(),
        Protocol::Tcp => ours_over_tcp(),
    };
    let check = Check { priority: Some(priority), nominates, ..Check::of(&world.agent) }.bytes();
    world.agent.handle(world.now, theirs(1), to, &check, &mut world.out).unwrap();
    world.agent.protocol().unwrap()
}

#[test]
fn udp_is_preferred_where_both_work_and_tcp_is_taken_where_it_alone_does() {
    // Some peers think no less of TCP; some do (RFC 6544 section 4.2).
    for tcp in [100, 90] {
        let mut world = World::new();
        assert_eq!(over(&mut world, Protocol::Tcp, tcp, false), Protocol::Tcp);
        assert_eq!(over(&mut world, Protocol::Udp, 100, false), Protocol::Udp);
        assert_eq!(over(&mut world, Protocol::Tcp, tcp, false), Protocol::Udp);
        // A peer that nominates all that works, in whatever order.
        for _ in 0..3 {
            over(&mut world, Protocol::Tcp, tcp, true);
            assert_eq!(over(&mut world, Protocol::Udp, 100, true), Protocol::Udp);
            assert_eq!(over(&mut world, Protocol::Tcp, tcp, true), Protocol::Udp);
            world.wait(500);
        }
        // UDP is not nominated any more: the peer has changed its mind.
        world.wait(2_000);
        assert_eq!(over(&mut world, Protocol::Tcp, tcp, true), Protocol::Tcp);
        world.wait(2_000);
        assert_eq!(over(&mut world, Protocol::Tcp, tcp, true), Protocol::Tcp);
        // And back.
        assert_eq!(over(&mut world, Protocol::Udp, 100, true), Protocol::Udp);
    }
}
