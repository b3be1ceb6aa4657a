//! Data packets of the client.

use livekit_protocol as lk;
use prost::Message as _;
use str0m::channel::ChannelId;

use super::rtc::{ClientError, ClientEvent, Role, RtcClient};
use super::wire::Channel;
use crate::limits;
use crate::synth::Stamp;

impl RtcClient {
    /// Sends bytes to all others, or to the identities named.
    ///
    /// # Errors
    /// [`ClientError::DataFull`] if too many messages wait for the channel.
    pub fn send_data(
        &mut self,
        reliable: bool,
        topic: &str,
        payload: Vec<u8>,
        destinations: Vec<String>,
    ) -> Result<(), ClientError> {
        let user = lk::UserPacket {
            payload,
            topic: (!topic.is_empty()).then(|| topic.to_owned()),
            ..Default::default()
        };
        self.send_packet(
            reliable,
            lk::DataPacket {
                destination_identities: destinations,
                value: Some(lk::data_packet::Value::User(user)),
                ..Default::default()
            },
        )
    }

    /// Sends any data packet; on the reliable channel with the next sequence number.
    ///
    /// # Errors
    /// [`ClientError::DataFull`] if too many messages wait for the channel.
    pub fn send_packet(
        &mut self,
        reliable: bool,
        mut packet: lk::DataPacket,
    ) -> Result<(), ClientError> {
        if self.data_waiting.len() >= limits::DATA_WAITING_MAX {
            return Err(ClientError::DataFull);
        }
        let channel = if reliable {
            self.data_sequence += 1;
            packet.sequence = self.data_sequence;
            Channel::Reliable
        } else {
            Channel::Lossy
        };
        let kind =
            if reliable { lk::data_packet::Kind::Reliable } else { lk::data_packet::Kind::Lossy };
        #[expect(deprecated, reason = "older servers read it")]
        {
            packet.kind = kind.into();
        }
        self.data_waiting.push_back((channel, packet.encode_to_vec()));
        self.flush_data();
        Ok(())
    }

    /// Writes what waits, as far as the channels take it.
    pub(super) fn flush_data(&mut self) {
        while let Some((channel, data)) = self.data_waiting.front() {
            let Some(id) = self.publisher.channels.get(channel) else { return };
            let Some(mut open) = self.publisher.rtc.channel(*id) else { return };
            if !open.write(true, data).unwrap_or(true) {
                return;
            }
            self.publisher.awake = true;
            self.data_waiting.pop_front();
            self.statistics.data_sent += 1;
            self.pump(Role::Publisher);
        }
    }

    /// A message came on a channel.
    pub(super) fn data(&mut self, role: Role, id: ChannelId, data: &[u8]) {
        let Some(peer) = self.peer(role) else { return };
        let reliable = peer.channels.get(&Channel::Reliable) == Some(&id);
        if let Ok(packet) = lk::DataPacket::decode(data) {
            self.statistics.data_received += 1;
            if let Some(lk::data_packet::Value::User(user)) = &packet.value
                && let Some(stamp) = Stamp::read(&user.payload)
            {
                let wall_us = u64::try_from(self.now.wall.as_microsecond()).unwrap_or_default();
                self.statistics.data_latency.add(wall_us.saturating_sub(stamp.sent_us));
            }
            self.event(ClientEvent::Data { reliable, packet: Box::new(packet) });
        }
    }
}
