//! Data that the server itself sends.

use std::collections::BTreeSet;

use fermata_transport::Channel;
use livekit_protocol as lk;
use lk::data_packet::{Kind, Value};

use super::{Answer, bounded, limited};
use crate::io::Reply;
use crate::key::RoomId;
use crate::limits::{DATA_DESTINATIONS_MAX, SERVER_DATA_LEN_MAX, TOPIC_LEN_MAX};
use crate::participant::Participant;
use crate::sfu::Sfu;

/// A message of the server.
pub(super) struct ServerData {
    pub(super) data: Vec<u8>,
    pub(super) reliable: bool,
    pub(super) topic: Option<String>,
    pub(super) to_identities: Vec<String>,
    pub(super) to_sids: Vec<String>,
}

impl Sfu {
    /// Sends it to those who are named, or to everybody. It has no sender.
    #[expect(
        deprecated,
        reason = "older clients read the kind, and destinations in the user packet"
    )]
    pub(super) fn send_server_data(&mut self, room: RoomId, message: ServerData) -> Answer {
        let ServerData { data, reliable, topic, to_identities, to_sids } = message;
        bounded("the data", data.len(), SERVER_DATA_LEN_MAX)?;
        bounded("the topic", topic.as_ref().map_or(0, String::len), TOPIC_LEN_MAX)?;
        limited("receivers", to_identities.len() + to_sids.len(), DATA_DESTINATIONS_MAX)?;
        let (kind, channel) = if reliable {
            (Kind::Reliable, Channel::Reliable)
        } else {
            (Kind::Lossy, Channel::Lossy)
        };
        let user = lk::UserPacket {
            payload: data,
            topic,
            destination_identities: to_identities.clone(),
            destination_sids: to_sids.clone(),
            ..Default::default()
        };
        let packet = lk::DataPacket {
            kind: kind.into(),
            destination_identities: to_identities.clone(),
            value: Some(Value::User(user)),
            ..Default::default()
        };
        let identities: BTreeSet<&str> = to_identities.iter().map(String::as_str).collect();
        let sids: BTreeSet<&str> = to_sids.iter().map(String::as_str).collect();
        let everybody = identities.is_empty() && sids.is_empty();
        self.send_packet(room, channel, &packet, |receiver: &Participant| {
            everybody
                || identities.contains(receiver.identity.as_str())
                || sids.contains(receiver.sid.as_str())
        });
        Ok(Reply::Done)
    }
}
