//! Remote procedure calls from the server to a client, and the answers that belong to them.
//!
//! What it is not: calls between clients are data like any other. Only a packet that answers a call of ours, from
//! the client that was called, is taken here.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use fermata_transport::Channel;
use fermata_types::SdkAppId;
use livekit_protocol as lk;
use lk::data_packet::{Kind, Value};
use rand::Rng as _;

use super::bounded;
use crate::io::{Reply, RequestId, RpcCall, RpcFailure};
use crate::key::{CallId, ParticipantId};
use crate::limits::{
    RPC_ACK_TIMEOUT, RPC_CALLS_MAX, RPC_CALLS_PER_APP_MAX, RPC_MESSAGE_LEN_MAX, RPC_METHOD_LEN_MAX,
    RPC_PAYLOAD_LEN_MAX, RPC_TIMEOUT_MAX,
};
use crate::sfu::Sfu;
use crate::timer::Timer;

/// How a call fails without the client's handler saying so; numbers and words as in `LiveKit`'s SDKs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failing {
    RequestTooLarge,
    UnsupportedVersion,
    ConnectionTimeout,
    ResponseTimeout,
    Disconnected,
    ResponseTooLarge,
    SendFailed,
}

impl Failing {
    fn failure(self, data: impl Into<String>) -> RpcFailure {
        let (code, message) = match self {
            Self::RequestTooLarge => (1402, "Request payload too large"),
            Self::UnsupportedVersion => (1404, "Unsupported RPC version"),
            Self::ConnectionTimeout => (1501, "Connection timeout"),
            Self::ResponseTimeout => (1502, "Response timeout"),
            Self::Disconnected => (1503, "Recipient disconnected"),
            Self::ResponseTooLarge => (1504, "Response payload too large"),
            Self::SendFailed => (1505, "Failed to send"),
        };
        RpcFailure { code, message: message.to_owned(), data: data.into() }
    }

    fn reply(self, data: impl Into<String>) -> Reply {
        Reply::RpcAnswered(Err(self.failure(data)))
    }
}

/// A call that waits.
#[derive(Debug)]
struct Call {
    request: RequestId,
    app: SdkAppId,
    destination: ParticipantId,
    /// Its name on the wire.
    name: String,
    respond_by: Instant,
}

/// The calls that wait for their answers, at most [`RPC_CALLS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Calls {
    waiting: BTreeMap<CallId, Call>,
    by_name: HashMap<String, CallId>,
}

impl Calls {
    /// How many entries are held.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.by_name.len()
    }

    fn insert(&mut self, id: CallId, call: Call) {
        self.by_name.insert(call.name.clone(), id);
        self.waiting.insert(id, call);
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.waiting.remove(&id)?;
        self.by_name.remove(&call.name);
        Some(call)
    }

    /// The call of that name, if this participant is the one who was called.
    fn find(&self, name: &str, sender: ParticipantId) -> Option<CallId> {
        let id = *self.by_name.get(name)?;
        (self.waiting.get(&id)?.destination == sender).then_some(id)
    }
}

impl Sfu {
    /// Calls; the answer comes later. `Err`: it was not called.
    pub(super) fn perform_rpc(
        &mut self,
        request: RequestId,
        app: SdkAppId,
        destination: ParticipantId,
        call: RpcCall,
    ) -> Result<(), Reply> {
        self.check_call(app, &call)?;
        let room = self.participants.get(&destination).map(|participant| participant.room);
        let room = room.ok_or(Reply::NoSuchParticipant)?;
        let mut name = [0; 16];
        self.rng.fill_bytes(&mut name);
        let name = format!("{:032x}", u128::from_be_bytes(name));
        let timeout_ms = call.response_timeout.as_millis();
        let ask = lk::RpcRequest {
            id: name.clone(),
            method: call.method,
            payload: call.payload,
            response_timeout_ms: u32::try_from(timeout_ms).unwrap_or(u32::MAX),
            version: 1,
            ..Default::default()
        };
        #[expect(deprecated, reason = "older clients read the kind")]
        let packet = lk::DataPacket {
            kind: Kind::Reliable.into(),
            // Clients address their answer to the caller, and some want one that is not empty.
            participant_identity: name.clone(),
            destination_identities: vec![call.destination],
            value: Some(Value::RpcRequest(ask)),
            ..Default::default()
        };
        let now = self.context.now.instant;
        let id = CallId(self.next_id());
        let respond_by = now + call.response_timeout;
        self.calls.insert(id, Call { request, app, destination, name, respond_by });
        self.context.timers.arm(Timer::Call(id), respond_by.min(now + RPC_ACK_TIMEOUT));
        self.send_packet(room, Channel::Reliable, &packet, |receiver| receiver.id == destination);
        Ok(())
    }

    fn check_call(&self, app: SdkAppId, call: &RpcCall) -> Result<(), Reply> {
        if call.method.is_empty() {
            return Err(Reply::Invalid("the method has no name".to_owned()));
        }
        bounded("the name of the method", call.method.len(), RPC_METHOD_LEN_MAX)?;
        if call.response_timeout.is_zero() || call.response_timeout > RPC_TIMEOUT_MAX {
            return Err(Reply::Invalid(format!(
                "the response timeout is {} ms; 1 to {} are allowed",
                call.response_timeout.as_millis(),
                RPC_TIMEOUT_MAX.as_millis()
            )));
        }
        if call.payload.len() > RPC_PAYLOAD_LEN_MAX {
            let data =
                format!("{} bytes; at most {RPC_PAYLOAD_LEN_MAX} are allowed", call.payload.len());
            return Err(Failing::RequestTooLarge.reply(data));
        }
        let all = self.calls.waiting.len();
        let of_app = self.calls.waiting.values().filter(|call| call.app == app).count();
        if all >= RPC_CALLS_MAX || of_app >= RPC_CALLS_PER_APP_MAX {
            let data = format!("{of_app} calls wait for their answers; try again later");
            return Err(Failing::SendFailed.reply(data));
        }
        Ok(())
    }

    /// Takes a packet that answers a call of ours. False: it is for somebody else.
    pub(crate) fn take_rpc_answer(
        &mut self,
        sender: ParticipantId,
        packet: &lk::DataPacket,
    ) -> bool {
        let name = match &packet.value {
            Some(Value::RpcAck(ack)) => &ack.request_id,
            Some(Value::RpcResponse(response)) => &response.request_id,
            _ => return false,
        };
        let Some(id) = self.calls.find(name, sender) else { return false };
        // What a client that resumes need not send again.
        if let Some(participant) = self.participants.get_mut(&sender) {
            let last = &mut participant.data.last_sequence;
            *last = packet.sequence.max(*last);
        }
        match &packet.value {
            Some(Value::RpcResponse(response)) => self.finish_call(id, outcome(response)),
            _ => {
                if let Some(call) = self.calls.waiting.get(&id) {
                    self.context.timers.arm(Timer::Call(id), call.respond_by);
                }
            }
        }
        true
    }

    /// A call has waited long enough: for a sign of its receiver, or for its answer.
    pub(crate) fn on_call_timeout(&mut self, id: CallId) {
        let Some(call) = self.calls.waiting.get(&id) else { return };
        let late = self.context.now.instant >= call.respond_by;
        let why = if late { Failing::ResponseTimeout } else { Failing::ConnectionTimeout };
        self.finish_call(id, Err(why.failure("")));
    }

    /// Whoever was called is gone.
    pub(crate) fn fail_calls(&mut self, destination: ParticipantId) {
        let calls = self.calls.waiting.iter().filter(|(_, call)| call.destination == destination);
        for id in calls.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.finish_call(id, Err(Failing::Disconnected.failure("")));
        }
    }

    fn finish_call(&mut self, id: CallId, outcome: Result<String, RpcFailure>) {
        if let Some(call) = self.calls.remove(id) {
            self.context.timers.disarm(Timer::Call(id));
            self.reply(call.request, Reply::RpcAnswered(outcome));
        }
    }
}

/// What the client answered.
fn outcome(response: &lk::RpcResponse) -> Result<String, RpcFailure> {
    use lk::rpc_response::Value as Outcome;
    match &response.value {
        Some(Outcome::Payload(payload)) if payload.len() > RPC_PAYLOAD_LEN_MAX => {
            Err(Failing::ResponseTooLarge.failure(""))
        }
        Some(Outcome::Payload(payload)) => Ok(payload.clone()),
        Some(Outcome::Error(error)) => Err(RpcFailure {
            code: error.code,
            message: cut(&error.message, RPC_MESSAGE_LEN_MAX),
            data: cut(&error.data, RPC_PAYLOAD_LEN_MAX),
        }),
        // Compressed answers belong to a later version than the one that was asked in.
        Some(Outcome::CompressedPayload(_)) => Err(Failing::UnsupportedVersion.failure("")),
        // An empty text is not written on the wire by every client.
        None => Ok(String::new()),
    }
}

/// The beginning of a text.
fn cut(text: &str, len_max: usize) -> String {
    text.get(..text.floor_char_boundary(len_max)).unwrap_or_default().to_owned()
}
