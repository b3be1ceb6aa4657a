//! Finds what was unusual, by the table, and what may have caused what.

use std::collections::BTreeMap;

use fermata_types::{
    Media, ParticipantSid, SAMPLE_SECONDS, StayEnd, StaySample, TrackSample, TrackSid,
};
use jiff::{SignedDuration, Timestamp};

use crate::limits::{DETECT_MAX, DETECT_TRACKS_MAX};
use crate::rule::{RULES, Rule, Signal};

/// Fewer packets than this say nothing about loss.
const LOSS_PACKETS_MIN: u32 = 20;
/// A sample shorter than this says nothing about rates.
const SPAN_MS_MIN: u32 = 2_000;
/// What began this long before something was felt may have caused it, seconds.
const CAUSE_BEFORE_S: i64 = 10;

/// What happened to a stay apart from its samples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StayFacts {
    /// When it entered.
    pub entered_at: Timestamp,
    /// When media connected first.
    pub active_at: Option<Timestamp>,
    /// When it was taken up again over a new connection.
    pub resumed_at: Vec<Timestamp>,
    /// When and why it ended, if it did.
    pub ended: Option<(Timestamp, StayEnd)>,
}

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual {
    /// By which rule.
    pub rule: &'static Rule,
    /// Whose stay.
    pub stay: ParticipantSid,
    /// Whose track it received, if it is about one.
    pub from: Option<ParticipantSid>,
    /// The track, if it is about one.
    pub track: Option<TrackSid>,
    /// From when, a sample's time.
    pub at: Timestamp,
    /// Until when: the end of the last sample in which it held.
    pub until: Timestamp,
    /// The worst value, in the unit of the rule's signal.
    pub worst: u32,
}

/// Something that people felt, with what may have caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experience {
    /// What it was.
    pub unusual: Unusual,
    /// What may have caused it, each once.
    pub causes: Vec<Cause>,
}

/// What may have caused something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// By which rule.
    pub rule: &'static Rule,
    /// The other stay at which it was; none: it was at the same one.
    pub peer: Option<ParticipantSid>,
}

type Key = (u32, Option<ParticipantSid>, Option<TrackSid>);

/// A rule that holds at the moment.
#[derive(Debug)]
struct Run {
    rule: &'static Rule,
    at: Timestamp,
    until: Timestamp,
    samples: u32,
    worst: u32,
}

/// What was unusual in a stay, in order of time. `samples` are those of the stay, in order of time.
/// At most [`DETECT_MAX`], of at most [`DETECT_TRACKS_MAX`] tracks.
pub fn detect(stay: &ParticipantSid, samples: &[StaySample], facts: &StayFacts) -> Vec<Unusual> {
    let mut found = Vec::new();
    let mut runs: BTreeMap<Key, Run> = BTreeMap::new();
    for sample in samples {
        let mut holding: BTreeMap<Key, (&'static Rule, u32)> = BTreeMap::new();
        for rule in RULES.iter().filter(|rule| rule.samples > 0) {
            if let Some(value) = of_stay(rule, sample) {
                holding.insert((rule.id, None, None), (rule, value));
            }
            for track in sample.tracks.iter().take(DETECT_TRACKS_MAX) {
                if let Some(value) = of_track(rule, sample, track) {
                    let key = (rule.id, track.from.clone(), Some(track.track.clone()));
                    holding.insert(key, (rule, value));
                }
            }
        }
        let over: Vec<_> = runs.keys().filter(|key| !holding.contains_key(*key)).cloned().collect();
        for key in over {
            end_run(stay, &mut runs, key, &mut found);
        }
        let until = later(sample.at, i64::from(SAMPLE_SECONDS));
        for (key, (rule, value)) in holding {
            let run = runs.entry(key).or_insert(Run {
                rule,
                at: sample.at,
                until,
                samples: 0,
                worst: value,
            });
            run.until = until;
            run.samples += 1;
            let worse = if rule.signal == Signal::FrameRate { u32::min } else { u32::max };
            run.worst = worse(run.worst, value);
        }
    }
    for key in runs.keys().cloned().collect::<Vec<_>>() {
        end_run(stay, &mut runs, key, &mut found);
    }
    found.extend(of_facts(stay, facts));
    found.sort_by_key(|unusual| (unusual.at, unusual.rule.id));
    found.truncate(DETECT_MAX);
    found
}

/// A rule does not hold any more; it counts if it held for long enough.
fn end_run(
    stay: &ParticipantSid,
    runs: &mut BTreeMap<Key, Run>,
    key: Key,
    found: &mut Vec<Unusual>,
) {
    let Some(run) = runs.remove(&key) else { return };
    // Room for what is found later and began earlier is made by sorting; this only bounds the memory.
    if run.samples < run.rule.samples || found.len() >= DETECT_MAX * 4 {
        return;
    }
    let (_, from, track) = key;
    let Run { rule, at, until, worst, .. } = run;
    found.push(Unusual { rule, stay: stay.clone(), from, track, at, until, worst });
}

/// The value by which a rule about the whole stay holds in a sample.
fn of_stay(rule: &Rule, sample: &StaySample) -> Option<u32> {
    let value = match rule.signal {
        Signal::RoundTrip => sample.rtt_ms,
        Signal::Cpu => sample.cpu_percent,
        _ => None,
    };
    value.filter(|value| *value > rule.threshold)
}

/// The value by which a rule about tracks holds in a sample.
fn of_track(rule: &Rule, sample: &StaySample, track: &TrackSample) -> Option<u32> {
    let (up, video) = (track.from.is_none(), track.media.is_video());
    let whole = sample.span_ms >= SPAN_MS_MIN;
    let percent = |part: u32, of: u64| {
        let value = (u64::from(part) * 100).checked_div(of)?;
        u32::try_from(value).ok().map(|value| value.min(100))
    };
    let value = match rule.signal {
        Signal::AudioFreeze if !up && !video => percent(track.freeze_ms, sample.span_ms.into()),
        Signal::VideoFreeze if !up && video => percent(track.freeze_ms, sample.span_ms.into()),
        // Lost packets did not come, but went out.
        Signal::LossUp if up && track.packets + track.lost >= LOSS_PACKETS_MIN => {
            percent(track.lost, u64::from(track.packets) + u64::from(track.lost))
        }
        Signal::LossDown if !up && track.packets >= LOSS_PACKETS_MIN => {
            percent(track.lost, track.packets.into())
        }
        Signal::Jitter => track.jitter_ms,
        Signal::FrameRate if up && whole && track.media == Media::Video && track.packets > 0 => {
            let rate = u64::from(track.frames) * 1_000 / u64::from(sample.span_ms);
            return u32::try_from(rate).ok().filter(|rate| *rate < rule.threshold);
        }
        // A shared screen that does not change may send nothing.
        Signal::Nothing if up && whole && track.media != Media::Screen => {
            return (track.packets == 0).then_some(0);
        }
        _ => None,
    };
    value.filter(|value| *value > rule.threshold)
}

/// What happened once.
fn of_facts(stay: &ParticipantSid, facts: &StayFacts) -> Vec<Unusual> {
    let mut found = Vec::new();
    let mut add = |signal: Signal, at: Timestamp, worst: u32| {
        let rule = RULES.iter().find(|rule| rule.signal == signal);
        // What just happens has no threshold.
        if let Some(rule) = rule.filter(|rule| rule.threshold == 0 || worst > rule.threshold) {
            let stay = stay.clone();
            found.push(Unusual { rule, stay, from: None, track: None, at, until: at, worst });
        }
    };
    match (facts.active_at, facts.ended) {
        (Some(active_at), _) => {
            let took = active_at.duration_since(facts.entered_at).as_millis();
            let took = u32::try_from(took.max(0)).unwrap_or(u32::MAX);
            add(Signal::JoinTime, active_at, took);
        }
        // Who leaves before media connected did not wait for it.
        (None, Some((at, StayEnd::NeverConnected | StayEnd::Failed))) => {
            add(Signal::NeverConnected, at, 0);
        }
        (None, _) => {}
    }
    for at in facts.resumed_at.iter().take(DETECT_MAX) {
        add(Signal::Reconnected, *at, 0);
    }
    if let Some((at, StayEnd::TimedOut | StayEnd::Lost)) = facts.ended {
        add(Signal::Vanished, at, 0);
    }
    found
}

/// What people felt, each with what may have caused it: what was unusual at the same stay, or at the publisher of
/// the track, at that time or shortly before. `unusual` is what [`detect`] found in all stays of a room.
/// Causes that nobody felt are left out.
pub fn experiences(unusual: &[Unusual]) -> Vec<Experience> {
    let felt = unusual.iter().filter(|unusual| unusual.rule.felt);
    felt.map(|felt| {
        let mut causes: Vec<Cause> = Vec::new();
        for other in unusual.iter().filter(|other| !other.rule.felt) {
            let near = other.until >= later(felt.at, -CAUSE_BEFORE_S) && other.at <= felt.until;
            let own = other.stay == felt.stay;
            // What it receives of somebody else has nothing to do with this track.
            let same_track = other.from.is_none() || felt.from.is_none() || other.from == felt.from;
            let peers = Some(&other.stay) == felt.from.as_ref() && other.from.is_none();
            if !near || !(own && same_track || peers) {
                continue;
            }
            let cause = Cause { rule: other.rule, peer: (!own).then(|| other.stay.clone()) };
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        Experience { unusual: felt.clone(), causes }
    })
    .collect()
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totals::testing::{at, sample, track};

    type Change = fn(&mut StaySample);

    fn stay() -> ParticipantSid {
        ParticipantSid::from_text("PA_a")
    }

    fn facts() -> StayFacts {
        StayFacts { entered_at: at(0), active_at: Some(at(0)), ..StayFacts::default() }
    }

    fn found(samples: &[StaySample]) -> Vec<(&'static str, i64, i64, u32)> {
        let number = |moment: Timestamp| (moment.as_second() - at(0).as_second()) / 5;
        let found = detect(&stay(), samples, &facts());
        found.iter().map(|u| (u.rule.name, number(u.at), number(u.until), u.worst)).collect()
    }

    /// Samples with one changed from `from` to before `until`.
    fn with(change: impl Fn(&mut StaySample), from: i64, until: i64) -> Vec<StaySample> {
        let camera = TrackSample { frames: 125, ..track("TR_v", None, Media::Video) };
        let tracks = vec![
            track("TR_a", None, Media::Audio),
            camera,
            track("TR_b", Some("PA_b"), Media::Audio),
            track("TR_c", Some("PA_b"), Media::Video),
        ];
        let mut samples: Vec<_> = (0..20).map(|n| sample(n, tracks.clone())).collect();
        for n in from..until {
            change(&mut samples[usize::try_from(n).unwrap()]);
        }
        samples
    }

    #[test]
    fn each_rule_holds_beyond_its_threshold_for_long_enough() {
        assert_eq!(found(&with(|_| {}, 0, 0)), []);
        let rows: [(&'static str, Change, Change, u32); 9] = [
            ("high_delay", |s| s.rtt_ms = Some(501), |s| s.rtt_ms = Some(500), 501),
            ("high_cpu", |s| s.cpu_percent = Some(86), |s| s.cpu_percent = Some(85), 86),
            ("loss_up", |s| s.tracks[0].lost = 40, |s| s.tracks[0].lost = 28, 13),
            ("loss_down", |s| s.tracks[2].lost = 28, |s| s.tracks[2].lost = 27, 11),
            (
                "jitter",
                |s| s.tracks[2].jitter_ms = Some(101),
                |s| s.tracks[2].jitter_ms = Some(100),
                101,
            ),
            ("low_frame_rate", |s| s.tracks[1].frames = 49, |s| s.tracks[1].frames = 50, 9),
            ("nothing_sent", |s| s.tracks[0].packets = 0, |s| s.tracks[0].packets = 1, 0),
            (
                "audio_freeze",
                |s| s.tracks[2].freeze_ms = 1_050,
                |s| s.tracks[2].freeze_ms = 1_000,
                21,
            ),
            (
                "video_freeze",
                |s| s.tracks[3].freeze_ms = 5_000,
                |s| s.tracks[3].freeze_ms = 1_000,
                100,
            ),
        ];
        for (name, bad, tolerable, worst) in rows {
            let rule = RULES.iter().find(|rule| rule.name == name).unwrap();
            let needed = i64::from(rule.samples);
            assert_eq!(found(&with(bad, 5, 9)), [(name, 5, 9, worst)], "{name}");
            assert_eq!(found(&with(bad, 5, 5 + needed)), [(name, 5, 5 + needed, worst)], "{name}");
            assert_eq!(found(&with(bad, 5, 5 + needed - 1)), [], "{name}: too short");
            assert_eq!(found(&with(bad, 18, 20)), [(name, 18, 20, worst)], "{name}: to the end");
            assert_eq!(found(&with(tolerable, 0, 20)), [], "{name}: tolerable");
        }
    }

    #[test]
    fn still_screens_and_few_packets_say_nothing() {
        let still = |s: &mut StaySample| {
            s.tracks[1].media = Media::Screen;
            (s.tracks[1].packets, s.tracks[1].frames) = (0, 0);
            (s.tracks[2].packets, s.tracks[2].lost) = (10, 9);
        };
        assert_eq!(found(&with(still, 0, 20)), []);
        let first = |s: &mut StaySample| {
            s.span_ms = 500;
            s.tracks[1].frames = 3;
        };
        assert_eq!(found(&with(first, 0, 3)), []);
    }

    #[test]
    fn what_happened_once() {
        let slow = StayFacts { active_at: Some(at(2)), ..facts() };
        let fast = StayFacts { active_at: Some(later(at(0), 5)), ..facts() };
        let never = StayFacts {
            active_at: None,
            ended: Some((at(12), StayEnd::NeverConnected)),
            ..facts()
        };
        let left = StayFacts { active_at: None, ended: Some((at(1), StayEnd::Left)), ..facts() };
        let vanished = StayFacts { ended: Some((at(30), StayEnd::TimedOut)), ..facts() };
        let back = StayFacts { resumed_at: vec![at(3), at(9)], ..facts() };
        let rows: [(StayFacts, &[&str]); 6] = [
            (slow, &["slow_join"]),
            (fast, &[]),
            (never, &["never_connected"]),
            (left, &[]),
            (vanished, &["vanished"]),
            (back, &["reconnected", "reconnected"]),
        ];
        for (facts, expected) in rows {
            let found = detect(&stay(), &[], &facts);
            let names: Vec<_> = found.iter().map(|unusual| unusual.rule.name).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn what_people_felt_comes_with_what_may_have_caused_it() {
        let peer = ParticipantSid::from_text("PA_b");
        let mine = with(
            |s| {
                s.tracks[3].freeze_ms = 4_000;
                s.rtt_ms = Some(900);
                s.tracks[1].frames = 1;
            },
            6,
            8,
        );
        let theirs: Vec<_> = with(|s| s.tracks[1].frames = 2, 4, 7)
            .into_iter()
            .map(|sample| StaySample { stay: peer.clone(), ..sample })
            .collect();
        let mut all = detect(&stay(), &mine, &facts());
        all.extend(detect(&peer, &theirs, &facts()));
        let felt = experiences(&all);
        let [felt] = felt.as_slice() else { panic!("{felt:?}") };
        assert_eq!(felt.unusual.rule.name, "video_freeze");
        assert_eq!(felt.unusual.from, Some(peer.clone()));
        let causes: Vec<_> = felt.causes.iter().map(|c| (c.rule.name, c.peer.clone())).collect();
        assert_eq!(
            causes,
            [("high_delay", None), ("low_frame_rate", None), ("low_frame_rate", Some(peer))]
        );
    }

    #[test]
    fn findings_are_bounded() {
        let flapping = with(|_| {}, 0, 0).into_iter().cycle().take(5_000).enumerate();
        let samples: Vec<_> = flapping
            .map(|(n, mut sample)| {
                sample.at = at(i64::try_from(n).unwrap());
                sample.tracks[3].freeze_ms = if n % 2 == 0 { 5_000 } else { 0 };
                sample
            })
            .collect();
        assert_eq!(detect(&stay(), &samples, &facts()).len(), DETECT_MAX);
    }
}
