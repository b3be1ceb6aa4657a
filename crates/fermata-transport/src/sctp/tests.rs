//! Two ends in memory under a virtual clock, with a network between them that follows a seed.
#![expect(clippy::cast_possible_truncation, reason = "lengths and numbers of tests are small")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

const MESSAGE_MAX: usize = 256 * 1024;

/// Two ends: 0 is the client, 1 the server.
struct Pair {
    now: Instant,
    ends: [Sctp; 2],
    /// What came out, without the packets.
    seen: [Vec<SctpOutput>; 2],
    flying: BTreeMap<(Instant, u64), (usize, Bytes)>,
    rng: StdRng,
    loss: f64,
    delay_ms: (u64, u64),
    sent: u64,
    longest: usize,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self::with_limits(seed, [MESSAGE_MAX, MESSAGE_MAX])
    }

    fn with_limits(seed: u64, len_max: [usize; 2]) -> Self {
        let now = fermata_types::Now::read().instant;
        let config = |peer: usize| SctpConfig {
            remote_port: SCTP_PORT,
            remote_message_len_max: len_max[peer],
        };
        let ends = [
            Sctp::new(now, true, &config(1), len_max[0]),
            Sctp::new(now, false, &config(0), len_max[1]),
        ];
        Self {
            now,
            ends,
            seen: [Vec::new(), Vec::new()],
            flying: BTreeMap::new(),
            rng: StdRng::seed_from_u64(seed),
            loss: 0.0,
            delay_ms: (10, 10),
            sent: 0,
            longest: 0,
        }
    }

    /// With the association and all channels up; the server opened them, or the client.
    fn open(seed: u64, opener: usize) -> Self {
        let mut pair = Self::new(seed);
        for channel in Channel::ALL {
            pair.ends[opener].open(pair.now, channel);
        }
        pair.run(Duration::from_secs(2));
        for seen in &mut pair.seen {
            assert_eq!(seen.len(), 3, "{seen:?}");
            for channel in Channel::ALL {
                assert!(seen.contains(&SctpOutput::Opened(channel)));
            }
            seen.clear();
        }
        pair
    }

    fn drain(&mut self) {
        for from in 0..2 {
            while let Some(output) = self.ends[from].poll() {
                let SctpOutput::Packet(packet) = output else {
                    self.seen[from].push(output);
                    continue;
                };
                self.longest = self.longest.max(packet.len());
                if self.rng.random_bool(self.loss) {
                    continue;
                }
                let delay = self.rng.random_range(self.delay_ms.0..=self.delay_ms.1);
                self.sent += 1;
                let at = self.now + Duration::from_millis(delay);
                self.flying.insert((at, self.sent), (1 - from, packet));
            }
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drain();
            let arrival = self.flying.keys().next().map(|key| key.0);
            let timers = self.ends.iter().filter_map(Sctp::next_timeout);
            let next = timers.chain(arrival).min().filter(|next| *next <= end);
            let Some(next) = next else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|arrival| arrival <= self.now) {
                let Some((_, (to, packet))) = self.flying.pop_first() else { continue };
                self.ends[to].handle(self.now, &packet);
            } else {
                for end in &mut self.ends {
                    end.handle_timeout(self.now);
                }
            }
        }
    }

    fn send(&mut self, from: usize, channel: Channel, data: &[u8]) -> Result<(), SendError> {
        self.ends[from].send(self.now, channel, true, data)
    }

    /// A channel that our own calls would not open.
    fn open_by_hand(&mut self, from: usize, id: u16, message: &[u8]) {
        let association = self.ends[from].association.as_mut().unwrap();
        let mut stream = association.open_stream(id, Protocol::Binary).unwrap();
        stream.write_with_ppi(message, Protocol::Dcep).unwrap();
    }

    fn messages(&self, at: usize) -> Vec<&[u8]> {
        let seen = self.seen[at].iter();
        seen.filter_map(|output| match output {
            SctpOutput::Message { data, .. } => Some(data.as_slice()),
            _ => None,
        })
        .collect()
    }
}

fn message(channel: Channel, binary: bool, data: &[u8]) -> SctpOutput {
    SctpOutput::Message { channel, binary, data: data.to_vec() }
}

#[test]
fn either_end_opens_and_both_send() {
    for opener in 0..2 {
        let mut pair = Pair::open(1, opener);
        let ids: Vec<_> = pair.ends[opener].streams.iter().map(|stream| stream.id).collect();
        assert!(ids.iter().all(|id| usize::from(id % 2) == opener), "{ids:?}");
        for from in 0..2 {
            for channel in Channel::ALL {
                assert!(pair.ends[from].is_open(channel));
                pair.ends[from].send(pair.now, channel, true, b"bytes").unwrap();
                pair.ends[from].send(pair.now, channel, false, b"text").unwrap();
                pair.ends[from].send(pair.now, channel, true, b"").unwrap();
                pair.ends[from].send(pair.now, channel, false, b"").unwrap();
            }
        }
        pair.run(Duration::from_secs(1));
        for seen in &pair.seen {
            assert_eq!(seen.len(), 12);
            for channel in Channel::ALL {
                for (binary, data) in [(true, "bytes"), (false, "text"), (true, ""), (false, "")] {
                    assert!(seen.contains(&message(channel, binary, data.as_bytes())));
                }
            }
        }
        assert_eq!(pair.ends.iter_mut().map(Sctp::buffered).sum::<usize>(), 0);
    }
}

#[test]
fn reliability_is_as_the_label_promises_and_as_the_peer_asks() {
    // The server opens; then everything is lost for a while. Only the reliable channel makes up for it,
    // whichever end sends.
    for from in 0..2 {
        let mut pair = Pair::open(2, 1);
        pair.loss = 1.0;
        for channel in Channel::ALL {
            pair.send(from, channel, channel.label().as_bytes()).unwrap();
        }
        pair.run(Duration::from_secs(3));
        pair.loss = 0.0;
        pair.run(Duration::from_secs(30));
        assert_eq!(pair.messages(1 - from), [b"_reliable".as_slice()], "sent by {from}");
        assert_eq!(pair.ends[from].buffered(), 0);
    }
}

#[test]
fn large_messages_pass_in_one_piece_over_a_bad_network() {
    let mut pair = Pair::open(3, 1);
    pair.loss = 0.03;
    pair.delay_ms = (5, 40);
    let large: Vec<u8> = (0..MESSAGE_MAX).map(|at| (at / 7) as u8).collect();
    pair.send(1, Channel::Reliable, &large).unwrap();
    pair.send(0, Channel::Reliable, &large).unwrap();
    pair.run(Duration::from_mins(2));
    assert_eq!(pair.messages(0), [large.as_slice()]);
    assert_eq!(pair.messages(1), [large.as_slice()]);
    assert!(pair.longest + 37 <= limits::DTLS_DATAGRAM_LEN + 16, "{} bytes", pair.longest);
}

#[test]
fn too_much_is_refused_until_the_peer_has_acknowledged() {
    let mut pair = Pair::open(4, 1);
    let piece = vec![9; 60_000];
    let mut taken = 0;
    let refused = loop {
        match pair.send(1, Channel::Reliable, &piece) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SendError::Full);
    assert_eq!(taken, limits::DATA_BUFFERED_MAX / piece.len());
    // The bound is that of the connection.
    assert_eq!(pair.send(1, Channel::Lossy, &piece), Err(SendError::Full));
    assert!(pair.ends[1].buffered() <= limits::DATA_BUFFERED_MAX);
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.messages(0).len(), taken);
    assert_eq!(pair.ends[1].buffered(), 0);
    pair.send(1, Channel::Reliable, &piece).unwrap();
}

#[test]
fn limits_of_length_are_the_peers() {
    let mut pair = Pair::with_limits(5, [16_384, MESSAGE_MAX]);
    pair.ends[1].open(pair.now, Channel::Reliable);
    pair.run(Duration::from_secs(1));
    let len = 16_385;
    let refused = pair.send(1, Channel::Reliable, &vec![0; len]);
    assert_eq!(refused, Err(SendError::TooLong { len }));
    pair.send(1, Channel::Reliable, &vec![0; len - 1]).unwrap();
    pair.send(0, Channel::Reliable, &vec![0; MESSAGE_MAX]).unwrap();
    assert_eq!(pair.send(0, Channel::Lossy, b"x"), Err(SendError::NotOpen));
    pair.run(Duration::from_secs(5));
    assert_eq!((pair.messages(0).len(), pair.messages(1).len()), (1, 1));

    // No limit is still one that can be held.
    let config = SctpConfig { remote_port: SCTP_PORT, remote_message_len_max: 0 };
    let sctp = Sctp::new(pair.now, false, &config, MESSAGE_MAX);
    assert_eq!(sctp.peer_message_len_max, limits::DATA_BUFFERED_MAX);
}

#[test]
fn a_message_beyond_what_we_announced_ends_the_data_and_is_not_held() {
    let mut pair = Pair::with_limits(11, [16_384, MESSAGE_MAX]);
    pair.ends[1].open(pair.now, Channel::Reliable);
    pair.run(Duration::from_secs(1));
    pair.seen = [vec![], vec![]];
    pair.ends[1].peer_message_len_max = MESSAGE_MAX;
    pair.ends[1].limit_messages();
    pair.send(1, Channel::Reliable, &vec![0; 200_000]).unwrap();
    pair.run(Duration::from_secs(5));
    assert!(matches!(pair.seen[0].as_slice(), [SctpOutput::Lost(_)]), "{:?}", pair.seen[0].len());
    assert!(pair.ends[0].is_lost());
}

#[test]
fn unknown_and_second_channels_are_reset() {
    let mut pair = Pair::open(6, 1);
    let weird = dcep::open("chat", Reliability::RELIABLE);
    let second = dcep::open("_lossy", Reliability::LOSSY);
    for (id, open) in [(10, weird.as_slice()), (12, &second), (14, b"\x07junk"), (16, b"\x02")] {
        pair.open_by_hand(0, id, open);
    }
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.seen, [vec![], vec![]], "nothing was opened or closed");
    assert_eq!(pair.ends[1].stats().streams_refused, 4);
    let mut ids = pair.ends[0].association.as_ref().unwrap().stream_ids();
    ids.sort_unstable();
    assert_eq!(ids, [1, 3, 5], "the others are gone at the peer");
    assert_eq!(pair.ends[1].association.as_ref().unwrap().stream_ids().len(), 3);
    pair.send(0, Channel::Lossy, b"still").unwrap();
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.messages(1), [b"still"]);
}

#[test]
fn more_streams_than_there_are_channels_are_reset() {
    let mut pair = Pair::open(7, 1);
    let association = pair.ends[0].association.as_mut().unwrap();
    for id in (10..200).step_by(2) {
        let mut stream = association.open_stream(id, Protocol::Binary).unwrap();
        stream.write_with_ppi(b"no name", Protocol::Binary).unwrap();
    }
    pair.run(Duration::from_mins(1));
    let end = &pair.ends[1];
    assert_eq!(end.streams.len(), limits::DATA_CHANNELS_MAX);
    assert_eq!(end.stats().messages_refused, limits::DATA_CHANNELS_MAX as u64 - 3);
    assert_eq!(end.stats().streams_refused, 95 - (limits::DATA_CHANNELS_MAX as u64 - 3));
    assert!(!end.is_lost() && end.is_open(Channel::Reliable));
}

#[test]
fn a_peer_that_opens_streams_without_end_loses_its_data() {
    let mut pair = Pair::open(12, 1);
    let association = pair.ends[0].association.as_mut().unwrap();
    for id in 10..400 {
        let mut stream = association.open_stream(id, Protocol::Binary).unwrap();
        stream.write_with_ppi(b"no name", Protocol::Binary).unwrap();
    }
    pair.run(Duration::from_mins(1));
    let expected = SctpOutput::Lost("the peer uses too many streams".to_owned());
    assert_eq!(pair.seen[1], [expected]);
    assert!(pair.ends[1].association.is_none());
}

#[test]
fn a_reset_of_the_peer_closes_and_the_channel_can_be_opened_again() {
    for opener in 0..2 {
        let mut pair = Pair::open(8, opener);
        for round in 0..3 {
            let id = pair.ends[0].find(Channel::Lossy).unwrap().id;
            pair.send(0, Channel::Lossy, b"last").unwrap();
            pair.run(Duration::from_millis(500));
            pair.ends[0].close(id);
            pair.run(Duration::from_secs(2));
            assert_eq!(pair.messages(1), [b"last"]);
            assert_eq!(pair.seen[1].last(), Some(&SctpOutput::Closed(Channel::Lossy)));
            assert!(!pair.ends[1].is_open(Channel::Lossy));
            assert_eq!(pair.send(1, Channel::Lossy, b"x"), Err(SendError::NotOpen));
            pair.seen = [vec![], vec![]];
            pair.ends[round % 2].open(pair.now, Channel::Lossy);
            pair.run(Duration::from_secs(2));
            assert_eq!(pair.seen, [0; 2].map(|_| vec![SctpOutput::Opened(Channel::Lossy)]));
            pair.seen = [vec![], vec![]];
        }
    }
}

#[test]
fn an_association_that_breaks_is_told_once_and_both_ends_are_quiet() {
    let mut pair = Pair::open(9, 1);
    pair.ends[0].association.as_mut().unwrap().shutdown().unwrap();
    pair.run(Duration::from_secs(5));
    let lost = |output: &SctpOutput| matches!(output, SctpOutput::Lost(_));
    assert_eq!(pair.seen[1].iter().filter(|output| lost(output)).count(), 1, "{:?}", pair.seen);
    let end = &mut pair.ends[1];
    assert!(end.is_lost() && !end.is_open(Channel::Reliable));
    assert_eq!(end.next_timeout(), None);
    end.open(pair.now, Channel::Reliable);
    end.handle(pair.now, b"anything");
    assert_eq!(end.poll(), None);
    assert_eq!(pair.send(1, Channel::Reliable, b"x"), Err(SendError::NotOpen));
}

#[test]
fn nothing_happens_before_the_peer_begins() {
    let now = fermata_types::Now::read().instant;
    let config = SctpConfig { remote_port: SCTP_PORT, remote_message_len_max: 65_536 };
    let mut server = Sctp::new(now, false, &config, MESSAGE_MAX);
    server.open(now, Channel::Reliable);
    server.handle_timeout(now + Duration::from_secs(100));
    assert_eq!(server.poll(), None);
    assert_eq!(server.next_timeout(), None);
    assert_eq!(server.send(now, Channel::Reliable, true, b"x"), Err(SendError::NotOpen));
}

#[test]
fn one_association_is_all_a_peer_gets() {
    let mut pair = Pair::open(10, 0);
    for _ in 0..50 {
        let config = SctpConfig { remote_port: SCTP_PORT, remote_message_len_max: 65_536 };
        let mut other = Sctp::new(pair.now, true, &config, MESSAGE_MAX);
        let Some(SctpOutput::Packet(init)) = other.poll() else { panic!("no INIT") };
        pair.ends[0].handle(pair.now, &init);
        pair.ends[1].handle(pair.now, &init);
    }
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.seen, [vec![], vec![]]);
    pair.send(0, Channel::Reliable, b"still").unwrap();
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.messages(1), [b"still"]);
}

/// CRC-32C as SCTP has it (RFC 9260 appendix A), so that hostile packets get past the first gate.
fn checked(mut packet: Vec<u8>) -> Vec<u8> {
    packet[8..12].fill(0);
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(&packet);
    packet[8..12].copy_from_slice(&crc.to_le_bytes());
    packet
}

/// Kinds of chunks that exist, and those just past them.
fn kind() -> impl Strategy<Value = u8> {
    prop_oneof![0..16_u8, prop::sample::select(vec![64_u8, 130, 192, 193, 194])]
}

fn bytes(len_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..len_max)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Everything reliable arrives, in order, whole; whatever the network does.
    #[test]
    fn bad_networks_only_delay(
        seed in any::<u64>(),
        loss in 0.0..0.25_f64,
        lens in prop::collection::vec(0..20_000_usize, 1..12),
    ) {
        let mut pair = Pair::new(seed);
        pair.loss = loss;
        pair.delay_ms = (1, 80);
        pair.ends[1].open(pair.now, Channel::Reliable);
        pair.run(Duration::from_mins(2));
        prop_assert!(pair.ends[0].is_open(Channel::Reliable) && pair.ends[1].is_open(Channel::Reliable));
        let messages: Vec<_> = lens.iter().map(|len| vec![*len as u8; *len]).collect();
        for message in &messages {
            pair.send(1, Channel::Reliable, message).unwrap();
        }
        pair.run(Duration::from_mins(15));
        prop_assert_eq!(pair.messages(0), messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    /// Packets with true tags and checksums and any chunks: no panic; at worst the data of this one peer ends.
    #[test]
    fn hostile_packets_do_no_harm(
        seed in any::<u64>(),
        chunks in prop::collection::vec((kind(), any::<u8>(), bytes(80)), 1..12),
    ) {
        let mut pair = Pair::open(seed, 1);
        // The head of a true packet of the client.
        pair.send(0, Channel::Reliable, b"head").unwrap();
        let Some(SctpOutput::Packet(head)) = pair.ends[0].poll() else { panic!("no packet") };
        prop_assert_eq!(&checked(head.to_vec()), &head);
        for (kind, flags, body) in chunks {
            let mut packet = head[..12].to_vec();
            packet.extend_from_slice(&[kind, flags]);
            packet.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
            packet.extend_from_slice(&body);
            packet.resize(packet.len().next_multiple_of(4), 0);
            let packet = checked(packet);
            pair.ends[1].handle(pair.now, &packet);
            pair.ends[1].handle(pair.now, &body);
            pair.drain();
        }
        pair.flying.clear();
        pair.run(Duration::from_secs(5));
        prop_assert!(pair.ends[1].buffered() <= limits::DATA_BUFFERED_MAX);
    }

    /// True packets with a few bytes changed and the checksum mended, before and after the true ones.
    #[test]
    fn changed_packets_do_no_harm(
        seed in any::<u64>(),
        changes in prop::collection::vec((12..200_usize, any::<u8>()), 1..6),
        every in 1..5_u64,
    ) {
        let mut pair = Pair::new(seed);
        for channel in Channel::ALL {
            pair.ends[(seed % 2) as usize].open(pair.now, channel);
        }
        for round in 0..60_u64 {
            for from in 0..2 {
                let _ = pair.send(from, Channel::ALL[round as usize % 3], &vec![1; 2_500]);
            }
            if round % 20 == 19 && let Some(stream) = pair.ends[0].streams.first() {
                let id = stream.id;
                pair.ends[0].close(id);
            }
            pair.drain();
            let flying: Vec<_> = pair.flying.values().cloned().collect();
            for (index, (to, packet)) in flying.into_iter().enumerate() {
                if !(index as u64 + round).is_multiple_of(every) {
                    continue;
                }
                let mut changed = packet.to_vec();
                for (at, value) in &changes {
                    if let Some(byte) = changed.get_mut(*at) {
                        *byte ^= value;
                    }
                }
                pair.ends[to].handle(pair.now, &checked(changed));
            }
            pair.run(Duration::from_millis(30));
        }
        for end in &mut pair.ends {
            prop_assert!(end.buffered() <= limits::DATA_BUFFERED_MAX);
            prop_assert!(end.streams.len() <= limits::DATA_CHANNELS_MAX);
        }
    }
}
