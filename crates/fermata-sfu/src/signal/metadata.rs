//! A participant changes its own name, metadata or attributes.

use livekit_protocol as lk;
use lk::request_response::{Reason, Request};

use crate::key::ParticipantId;
use crate::limits::{ATTRIBUTES_LEN_MAX, METADATA_LEN_MAX, NAME_LEN_MAX};
use crate::participant::Participant;
use crate::sfu::Sfu;

/// From this protocol on clients expect to hear of success, too.
const PROTOCOL_SUCCESS: i32 = 15;

impl Sfu {
    /// Applies the change, or says why not.
    pub(crate) fn on_update_metadata(
        &mut self,
        id: ParticipantId,
        request: lk::UpdateParticipantMetadata,
    ) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let request_id = request.request_id;
        if let Err((reason, message)) = check(participant, &request) {
            self.context.stats.limited += u64::from(reason == Reason::LimitExceeded);
            self.respond(id, request_id, reason, message, Some(Request::UpdateMetadata(request)));
            return;
        }
        apply(participant, &request);
        let tells_success = participant.protocol >= PROTOCOL_SUCCESS;
        self.announce(id);
        self.order_token(id);
        if tells_success {
            let request = Some(Request::UpdateMetadata(request));
            self.respond(id, request_id, Reason::Ok, "", request);
        }
    }
}

fn check(
    participant: &Participant,
    request: &lk::UpdateParticipantMetadata,
) -> Result<(), (Reason, &'static str)> {
    if !participant.permission.can_update_metadata {
        return Err((Reason::NotAllowed, "changing own metadata is not permitted"));
    }
    let kept = participant.attributes.iter().filter(|(k, _)| !request.attributes.contains_key(*k));
    let kept: usize = kept.map(|(k, v)| k.len() + v.len()).sum();
    let new: usize = request.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
    if request.name.len() > NAME_LEN_MAX
        || request.metadata.len() > METADATA_LEN_MAX
        || kept + new > ATTRIBUTES_LEN_MAX
    {
        return Err((Reason::LimitExceeded, "name, metadata or attributes are too long"));
    }
    Ok(())
}

/// What is empty stays as it was; an attribute without a value is taken away.
fn apply(participant: &mut Participant, request: &lk::UpdateParticipantMetadata) {
    if !request.name.is_empty() {
        participant.name.clone_from(&request.name);
    }
    if !request.metadata.is_empty() {
        participant.metadata.clone_from(&request.metadata);
    }
    for (key, value) in &request.attributes {
        if value.is_empty() {
            participant.attributes.remove(key);
        } else {
            participant.attributes.insert(key.clone(), value.clone());
        }
    }
}
