//! Data messages: who may send what to whom. The queues towards receivers are at the shards.
//!
//! Payloads are passed on as they are, encrypted ones too. Messages of one sender stay in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use fermata_transport::Channel;
use livekit_protocol as lk;
use lk::data_packet::Value;
use prost::Message as _;

use crate::io::RoomPermission;
use crate::key::{LinkId, ParticipantId, RoomId, Side};
use crate::limits::{DATA_DESTINATIONS_MAX, DATA_LEN_MAX, REQUEST_SIDS_MAX};
use crate::participant::Participant;
use crate::seam::{Message, Order, ShardId};
use crate::sfu::Sfu;

/// What a participant sent last.
#[derive(Debug, Default)]
pub(crate) struct DataState {
    /// Highest sequence of its reliable messages.
    pub(crate) last_sequence: u32,
}

/// Why a message is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The sender may not.
    NotAllowed,
    /// It came before, or out of order on the ordered channel.
    Duplicate,
    /// It has no content, or none that clients may send.
    Malformed,
}

/// Who receives a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audience {
    /// Identities and sids; empty means everybody else.
    destinations: Vec<String>,
    /// Only those who may receive metrics.
    metrics: bool,
}

impl Audience {
    fn includes(&self, receiver: &Participant) -> bool {
        let named = |name: &String| *name == receiver.identity || *name == receiver.sid.as_str();
        (self.destinations.is_empty() || self.destinations.iter().any(named))
            && (!self.metrics || receiver.permission.can_subscribe_metrics)
    }
}

/// Checks a message and puts the sender's name on it.
#[expect(deprecated, reason = "older clients read names and destinations inside the user packet")]
pub(crate) fn stamp(
    packet: &mut lk::DataPacket,
    channel: Channel,
    sender: (&str, &str),
    permission: &RoomPermission,
    last_sequence: &mut u32,
) -> Result<Audience, Refused> {
    let (identity, sid) = sender;
    if !permission.can_publish_data {
        return Err(Refused::NotAllowed);
    }
    let reliable = channel == Channel::Reliable;
    if reliable && packet.sequence > 0 {
        if packet.sequence <= *last_sequence {
            return Err(Refused::Duplicate);
        }
        *last_sequence = packet.sequence;
    }
    let Some(value) = packet.value.as_mut() else { return Err(Refused::Malformed) };
    // An agent may speak for somebody else where speech turns into text.
    let mut speaks_for_others = false;
    let mut metrics = false;
    match value {
        // Only servers tell who speaks.
        Value::Speaker(_) => return Err(Refused::Malformed),
        Value::Transcription(_) if !permission.agent => return Err(Refused::NotAllowed),
        Value::Transcription(_)
        | Value::StreamHeader(_)
        | Value::StreamChunk(_)
        | Value::StreamTrailer(_) => speaks_for_others = permission.agent,
        Value::Metrics(_) => metrics = true,
        _ => {}
    }
    packet.kind = match channel {
        Channel::Reliable => lk::data_packet::Kind::Reliable.into(),
        Channel::Lossy | Channel::DataTrack => lk::data_packet::Kind::Lossy.into(),
    };
    // Nobody is told of hidden participants.
    let (identity, sid) = if permission.hidden { ("", "") } else { (identity, sid) };
    if !speaks_for_others || packet.participant_identity.is_empty() {
        identity.clone_into(&mut packet.participant_identity);
        sid.clone_into(&mut packet.participant_sid);
    }
    let mut destinations = packet.destination_identities.clone();
    if let Value::User(user) = value {
        identity.clone_into(&mut user.participant_identity);
        sid.clone_into(&mut user.participant_sid);
        if destinations.is_empty() {
            destinations.clone_from(&user.destination_identities);
            packet.destination_identities.clone_from(&user.destination_identities);
            destinations.extend(user.destination_sids.iter().cloned());
        } else {
            user.destination_identities.clone_from(&destinations);
        }
    }
    destinations.truncate(DATA_DESTINATIONS_MAX);
    Ok(Audience { destinations, metrics })
}

/// What of a message on the reliable channel would be passed on if its sender may do everything; `None` if nothing.
/// For those who look for bytes that cannot be taken.
pub fn read_data_packet(bytes: &[u8]) -> Option<Vec<u8>> {
    let permission = RoomPermission {
        can_subscribe: true,
        can_publish: true,
        can_publish_data: true,
        can_publish_sources: Vec::new(),
        can_update_metadata: true,
        hidden: false,
        recorder: false,
        agent: true,
        can_subscribe_metrics: true,
    };
    let bytes = Some(bytes).filter(|bytes| bytes.len() <= DATA_LEN_MAX)?;
    let mut packet = lk::DataPacket::decode(bytes).ok()?;
    stamp(&mut packet, Channel::Reliable, ("somebody", "PA_somebody"), &permission, &mut 0).ok()?;
    Some(packet.encode_to_vec())
}

impl Sfu {
    /// A client sent a message.
    pub(crate) fn on_data(&mut self, link: LinkId, channel: Channel, binary: bool, data: &[u8]) {
        // With two connections clients send on the one they offered.
        if link.side != Side::Up {
            return;
        }
        let stats = &mut self.context.stats;
        stats.data_in += 1;
        if channel == Channel::DataTrack {
            stats.data_track_dropped += 1;
            return;
        }
        let packet = Some(data).filter(|data| data.len() <= DATA_LEN_MAX);
        let Some(Ok(packet)) = packet.map(lk::DataPacket::decode) else {
            stats.malformed_data += 1;
            return;
        };
        let id = link.participant;
        if channel == Channel::Reliable && self.take_rpc_answer(id, &packet) {
            return;
        }
        self.pass_on(id, channel, binary, packet);
    }

    /// Hands a client's message to whom it is for.
    fn pass_on(
        &mut self,
        id: ParticipantId,
        channel: Channel,
        binary: bool,
        mut packet: lk::DataPacket,
    ) {
        let Self { participants, context, .. } = self;
        let Some(sender) = participants.get_mut(&id) else { return };
        let names = (sender.identity.as_str(), sender.sid.as_str());
        let last_sequence = &mut sender.data.last_sequence;
        let stamped = stamp(&mut packet, channel, names, &sender.permission, last_sequence);
        let audience = match stamped {
            Ok(audience) => audience,
            Err(refused) => {
                match refused {
                    Refused::NotAllowed => context.stats.data_refused += 1,
                    Refused::Duplicate => context.stats.data_duplicate += 1,
                    Refused::Malformed => context.stats.malformed_data += 1,
                }
                return;
            }
        };
        let reliable = channel == Channel::Reliable;
        let origin = (reliable && packet.sequence > 0)
            .then(|| (Arc::from(sender.sid.as_str()), packet.sequence));
        let message = Message { channel, binary, data: packet.encode_to_vec().into(), origin };
        let room = sender.room;
        self.hand_out(room, &message, |receiver| receiver.id != id && audience.includes(receiver));
    }

    /// Sends a message of the server's own to those whom `includes` names.
    pub(crate) fn send_packet(
        &mut self,
        room: RoomId,
        channel: Channel,
        packet: &lk::DataPacket,
        includes: impl Fn(&Participant) -> bool,
    ) {
        let data = packet.encode_to_vec().into();
        let message = Message { channel, binary: true, data, origin: None };
        self.hand_out(room, &message, includes);
    }

    fn hand_out(
        &mut self,
        room: RoomId,
        message: &Message,
        includes: impl Fn(&Participant) -> bool,
    ) {
        let Self { participants, rooms, context, .. } = self;
        let Some(room) = rooms.get(&room) else { return };
        let mut peers: BTreeMap<ShardId, Vec<ParticipantId>> = BTreeMap::new();
        let members = room.members.values().filter_map(|member| participants.get(member));
        for receiver in members.filter(|member| includes(member)) {
            peers.entry(receiver.shard).or_default().push(receiver.id);
        }
        for (shard, peers) in peers {
            context.order(shard, Order::Data { peers, message: message.clone() });
        }
    }

    /// Sends again what a resumed client says it has not got.
    pub(crate) fn replay_data(
        &mut self,
        id: ParticipantId,
        states: &[lk::DataChannelReceiveState],
    ) {
        let Some(participant) = self.participants.get(&id) else { return };
        let states = states.iter().take(REQUEST_SIDS_MAX);
        let has = states.map(|state| (state.publisher_sid.clone(), state.last_seq)).collect();
        self.context.order(participant.shard, Order::Replay { peer: id, has });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission() -> RoomPermission {
        RoomPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_publish_sources: Vec::new(),
            can_update_metadata: false,
            hidden: false,
            recorder: false,
            agent: false,
            can_subscribe_metrics: false,
        }
    }

    fn user() -> lk::DataPacket {
        lk::DataPacket {
            value: Some(Value::User(lk::UserPacket { payload: vec![1], ..Default::default() })),
            ..Default::default()
        }
    }

    #[test]
    fn the_senders_name_is_put_on_and_destinations_are_mirrored() {
        let mut packet = user();
        packet.participant_identity = "somebody else".to_owned();
        packet.destination_identities = vec!["bob".to_owned()];
        let audience =
            stamp(&mut packet, Channel::Reliable, ("ann", "PA_a"), &permission(), &mut 0).unwrap();
        assert_eq!(audience.destinations, ["bob"]);
        assert_eq!(packet.participant_identity, "ann");
        #[expect(deprecated, reason = "that is the point")]
        let Some(Value::User(user)) = packet.value.map(|mut v| {
            if let Value::User(u) = &mut v {
                assert_eq!(u.participant_sid, "PA_a");
                assert_eq!(u.destination_identities, ["bob"]);
            }
            v
        }) else {
            panic!("still a user packet");
        };
        assert_eq!(user.payload, [1]);
    }

    #[test]
    fn sequences_rise_on_the_reliable_channel_only() {
        let mut last = 0;
        let mut send = |channel, sequence| {
            let mut packet = user();
            packet.sequence = sequence;
            stamp(&mut packet, channel, ("ann", "PA_a"), &permission(), &mut last).map(|_| ())
        };
        assert_eq!(send(Channel::Reliable, 1), Ok(()));
        assert_eq!(send(Channel::Reliable, 1), Err(Refused::Duplicate));
        assert_eq!(send(Channel::Reliable, 5), Ok(()));
        assert_eq!(send(Channel::Reliable, 4), Err(Refused::Duplicate));
        assert_eq!(send(Channel::Reliable, 0), Ok(()));
        assert_eq!(send(Channel::Lossy, 2), Ok(()));
    }

    #[test]
    fn kinds_are_for_those_who_may() {
        let transcription = || lk::DataPacket {
            value: Some(Value::Transcription(lk::Transcription::default())),
            participant_identity: "bob".to_owned(),
            ..Default::default()
        };
        let agent = RoomPermission { agent: true, ..permission() };
        let mute = RoomPermission { can_publish_data: false, ..permission() };
        let stamp = |mut packet: lk::DataPacket, permission: &RoomPermission| {
            stamp(&mut packet, Channel::Reliable, ("ann", "PA_a"), permission, &mut 0)
                .map(|audience| (packet.participant_identity, audience.metrics))
        };
        assert_eq!(stamp(transcription(), &permission()), Err(Refused::NotAllowed));
        assert_eq!(stamp(transcription(), &agent), Ok(("bob".to_owned(), false)));
        assert_eq!(stamp(user(), &mute), Err(Refused::NotAllowed));
        assert_eq!(stamp(lk::DataPacket::default(), &agent), Err(Refused::Malformed));
        let metrics = lk::DataPacket {
            value: Some(Value::Metrics(lk::MetricsBatch::default())),
            ..Default::default()
        };
        assert_eq!(stamp(metrics, &permission()), Ok(("ann".to_owned(), true)));
    }
}
