//! Garbage, made once and sent again and again: runs of datagrams of one kind and one length.
//!
//! What it is not: malformed in every way. Each kind gets past a different number of the server's checks.

use super::hello::Hello;
use super::random::Random;
use super::stun;

/// Runs of each kind.
const RUNS: usize = 24;
/// Shortest and longest datagram of random bytes.
const RANDOM_LEN: (usize, usize) = (1, 1_200);
/// Shortest and longest of those that look like media.
const MEDIA_LEN: (usize, usize) = (60, 1_200);

/// What a datagram pretends to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Disguise {
    /// Nothing.
    Random,
    /// STUN that ends too early.
    CutStun,
    /// STUN for a connection that is not there.
    StrangerStun,
    /// STUN for a connection that is there, signed with a wrong password.
    ForgedStun,
    /// The beginning of a DTLS handshake, without a path.
    Hello,
    /// A DTLS record of a session that is not there.
    Record,
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

impl Disguise {
    /// All, with their names in reports.
    pub(super) const NAMES: [(&'static str, Self); 8] = [
        ("random bytes", Self::Random),
        ("cut STUN", Self::CutStun),
        ("STUN for nobody", Self::StrangerStun),
        ("STUN with a wrong password", Self::ForgedStun),
        ("DTLS hello without a path", Self::Hello),
        ("DTLS record without a path", Self::Record),
        ("RTP", Self::Rtp),
        ("RTCP", Self::Rtcp),
    ];

    fn datagram(self, random: &mut Random, victim: &str, len: usize) -> Vec<u8> {
        match self {
            Self::Random => garbage(random, &[], len),
            Self::CutStun => {
                let (_, mut data) = stun::check(random, (victim, "garbage"), "a wrong password");
                data.truncate(len.clamp(4, data.len() - 4));
                data
            }
            Self::StrangerStun => {
                let stranger = random.text(victim.len().max(4));
                stun::check(random, (&stranger, "garbage"), "a wrong password").1
            }
            Self::ForgedStun => stun::check(random, (victim, "garbage"), "a wrong password").1,
            Self::Hello => Hello::new(random).say(&[]),
            // Application data of the first epoch, RFC 6347 section 4.1.
            Self::Record => {
                let body = u16::try_from(len.max(13) - 13).unwrap_or(0).to_be_bytes();
                let [high, low] = body;
                let head = [23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, high, low];
                garbage(random, &head, len.max(13))
            }
            // A one-byte extension header, as browsers send it (RFC 8285 section 4.2).
            Self::Rtp => {
                let mut data = garbage(random, &[0x90, 111], len.max(20));
                if let Some(extension) = data.get_mut(12..20) {
                    extension.copy_from_slice(&[0xBE, 0xDE, 0, 1, 0x10, 0x99, 0, 0]);
                }
                data
            }
            // A sender report and what would be ciphertext.
            Self::Rtcp => garbage(random, &[0x80, 200, 0, 6], len),
        }
    }

    fn len(self, random: &mut Random) -> usize {
        let (low, high) = match self {
            Self::Random => RANDOM_LEN,
            Self::CutStun => (4, 100),
            _ => MEDIA_LEN,
        };
        random.within(low, high)
    }
}

/// `head`, then random bytes, `len` in all.
fn garbage(random: &mut Random, head: &[u8], len: usize) -> Vec<u8> {
    let mut data = vec![0; len.max(head.len())];
    random.fill(&mut data);
    for (byte, fixed) in data.iter_mut().zip(head) {
        *byte = *fixed;
    }
    data
}

/// Datagrams of one kind and one length, one behind the other.
#[derive(Debug)]
pub(super) struct Run {
    /// What they pretend to be: a place in [`Disguise::NAMES`].
    pub(super) disguise: usize,
    /// All of them.
    pub(super) bytes: Vec<u8>,
    /// Length of each.
    pub(super) segment: usize,
}

/// All runs, the kinds taking turns.
#[derive(Debug)]
pub(super) struct Pool {
    runs: Vec<Run>,
    next: usize,
}

impl Pool {
    /// Runs of `count` datagrams. `victim` is the user name fragment of a connection of the server.
    pub(super) fn new(random: &mut Random, victim: &str, count: usize) -> Self {
        let mut runs = Vec::with_capacity(RUNS * Disguise::NAMES.len());
        for _ in 0..RUNS {
            for (place, (_, disguise)) in Disguise::NAMES.into_iter().enumerate() {
                let len = disguise.len(random);
                let first = disguise.datagram(random, victim, len);
                let (segment, mut bytes) = (first.len(), first);
                for _ in 1..count {
                    bytes.extend(disguise.datagram(random, victim, len));
                }
                // The kernel cuts at one length; a run that would be longer than a datagram may be is cut short.
                bytes.truncate(segment * (60_000 / segment).min(count));
                runs.push(Run { disguise: place, bytes, segment });
            }
        }
        Self { runs, next: 0 }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Option<&Run> {
        let at = self.next % self.runs.len().max(1);
        self.next = self.next.wrapping_add(1);
        self.runs.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_of_one_kind_and_length_and_fit_a_call() {
        let mut pool = Pool::new(&mut Random::new(11), "abcd", 64);
        let mut seen = [0; Disguise::NAMES.len()];
        for _ in 0..RUNS * Disguise::NAMES.len() {
            let run = pool.next().unwrap();
            assert_eq!(run.bytes.len() % run.segment, 0, "{:?}", Disguise::NAMES[run.disguise]);
            assert!(!run.bytes.is_empty() && run.bytes.len() <= 60_000);
            seen[run.disguise] += 1;
        }
        assert_eq!(seen, [RUNS; 8]);
    }

    #[test]
    fn disguises_look_like_what_they_pretend_to_be() {
        let mut random = Random::new(5);
        // First bytes by RFC 7983 section 7.
        for (disguise, range) in [
            (Disguise::CutStun, 0..=3),
            (Disguise::StrangerStun, 0..=3),
            (Disguise::ForgedStun, 0..=3),
            (Disguise::Hello, 20..=63),
            (Disguise::Record, 20..=63),
            (Disguise::Rtp, 128..=191),
            (Disguise::Rtcp, 128..=191),
        ] {
            for len in [1, 40, 1_200] {
                let data = disguise.datagram(&mut random, "abcd", len);
                assert!(range.contains(&data[0]), "{disguise:?}");
            }
        }
        let forged = Disguise::ForgedStun.datagram(&mut random, "abcd", 0);
        assert!(forged.windows(12).any(|part| part == b"abcd:garbage"));
    }
}
