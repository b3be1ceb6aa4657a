//! Clients may ask for trouble, to test themselves.

use livekit_protocol as lk;
use lk::leave_request::Action;
use lk::signal_response::Message as Response;
use lk::simulate_scenario::Scenario;

use crate::key::ParticipantId;
use crate::leave::Leaving;
use crate::sfu::Sfu;

impl Sfu {
    /// Plays a scenario. Those that need what is not here (candidate protocols, bandwidth) are ignored.
    pub(crate) fn on_simulate(&mut self, id: ParticipantId, request: &lk::SimulateScenario) {
        match request.scenario {
            // The node is lost, or the room moves: either way the client starts anew.
            Some(
                Scenario::NodeFailure(_)
                | Scenario::Migration(_)
                | Scenario::LeaveRequestFullReconnect(_),
            ) => self.close_participant(id, Leaving::Simulated(Action::Reconnect)),
            Some(Scenario::ServerLeave(_)) => {
                self.close_participant(id, Leaving::Simulated(Action::Disconnect));
            }
            Some(Scenario::DisconnectSignalOnResume(_)) => self.cut_on_resume(id, false),
            Some(Scenario::DisconnectSignalOnResumeNoMessages(_)) => self.cut_on_resume(id, true),
            Some(Scenario::SpeakerUpdate(_)) => self.pretend_to_speak(id),
            Some(Scenario::SwitchCandidateProtocol(_) | Scenario::SubscriberBandwidth(_))
            | None => {}
        }
    }

    fn cut_on_resume(&mut self, id: ParticipantId, before_messages: bool) {
        if let Some(participant) = self.participants.get_mut(&id) {
            participant.close_signal_on_resume = Some(before_messages);
        }
    }

    fn pretend_to_speak(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let speaker =
            lk::SpeakerInfo { sid: participant.sid.to_string(), level: 0.9, active: true };
        let update = lk::SpeakersChanged { speakers: vec![speaker] };
        self.context.signal(participant.connection, Response::SpeakersChanged(update));
    }
}
