//! What counts as unusual: the one table.
//!
//! Ids are ours and stay for ever. The vendor's answer has the same shape, an experience and the events that may
//! have caused it, with numbers of its own appendix: whoever answers translates ours into those by the signal, and
//! leaves out what has no number there.

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Media of an entry never connected.
    NeverConnected,
    /// Milliseconds from entry to media.
    JoinTime,
    /// The user vanished, and the wait for it ended.
    Vanished,
    /// The connection was lost and taken up again.
    Reconnected,
    /// Percent of a sample without sound, of a received track.
    AudioFreeze,
    /// Percent of a sample in which the picture stood still, of a received track.
    VideoFreeze,
    /// Percent of packets lost from the client to us, of a published track.
    LossUp,
    /// Percent of packets lost from us to the client, of a received track.
    LossDown,
    /// Round trip, milliseconds.
    RoundTrip,
    /// Interarrival jitter of a track, milliseconds.
    Jitter,
    /// Pictures per second of a published camera, less than.
    FrameRate,
    /// Nothing came of a published track that is not muted and that somebody wants.
    Nothing,
    /// CPU of the client, percent.
    Cpu,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its id.
    pub id: u32,
    /// Its name in our own API.
    pub name: &'static str,
    /// What it says, for people.
    pub what: &'static str,
    /// What it looks at.
    pub signal: Signal,
    /// Beyond this it holds (below it, for [`Signal::FrameRate`]), in the signal's unit.
    pub threshold: u32,
    /// Samples in a row for which it must hold; 0 for what happens once.
    pub samples: u32,
    /// People feel it. The others are what may have caused it.
    pub felt: bool,
}

/// Everything that is unusual. A sample is five seconds.
pub const RULES: &[Rule] = &[
    felt(1, "never_connected", "media never connected", Signal::NeverConnected, 0, 0),
    felt(2, "slow_join", "media took longer than 5 s to connect", Signal::JoinTime, 5_000, 0),
    felt(3, "vanished", "the user vanished and did not come back", Signal::Vanished, 0, 0),
    felt(4, "reconnected", "the connection was lost and taken up again", Signal::Reconnected, 0, 0),
    felt(
        5,
        "audio_freeze",
        "sound was missing for more than 20 % of 5 s",
        Signal::AudioFreeze,
        20,
        1,
    ),
    felt(
        6,
        "video_freeze",
        "a picture stood still for more than 20 % of 5 s",
        Signal::VideoFreeze,
        20,
        1,
    ),
    cause(
        101,
        "loss_up",
        "more than 10 % of packets lost from the client for 10 s",
        Signal::LossUp,
        10,
        2,
    ),
    cause(
        102,
        "loss_down",
        "more than 10 % of packets lost to the client for 10 s",
        Signal::LossDown,
        10,
        2,
    ),
    cause(
        103,
        "high_delay",
        "a round trip of more than 500 ms for 10 s",
        Signal::RoundTrip,
        500,
        2,
    ),
    cause(104, "jitter", "jitter of more than 100 ms for 10 s", Signal::Jitter, 100, 2),
    cause(
        105,
        "low_frame_rate",
        "a camera with less than 10 pictures a second for 10 s",
        Signal::FrameRate,
        10,
        2,
    ),
    cause(106, "nothing_sent", "a published track sent nothing for 10 s", Signal::Nothing, 0, 2),
    cause(107, "high_cpu", "the client's CPU above 85 % for 10 s", Signal::Cpu, 85, 2),
];

/// The rule of an id.
pub fn rule(id: u32) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

const fn felt(
    id: u32,
    name: &'static str,
    what: &'static str,
    signal: Signal,
    threshold: u32,
    samples: u32,
) -> Rule {
    Rule { id, name, what, signal, threshold, samples, felt: true }
}

const fn cause(
    id: u32,
    name: &'static str,
    what: &'static str,
    signal: Signal,
    threshold: u32,
    samples: u32,
) -> Rule {
    Rule { felt: false, ..felt(id, name, what, signal, threshold, samples) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_names_are_unique_and_sorted() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        assert_eq!(rule(103).map(|rule| rule.name), Some("high_delay"));
        assert_eq!(rule(7), None);
    }
}
