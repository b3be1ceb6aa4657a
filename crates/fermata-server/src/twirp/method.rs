//! The table of methods: every service of `LiveKit`'s protocol, what its token must grant, which class of
//! operation it is for the policy, and whether it is built.

use std::fmt::Write as _;

use fermata_billing::effect::OperationClass;

use self::Built::{Dispatches, No, Rooms};
use self::OperationClass::{Api, Dismiss, Join, Recordings};

/// A method.
#[derive(Debug)]
pub struct Method {
    /// Service, without the package `livekit`.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What the token must grant.
    pub grant: Grant,
    /// What the standing must allow.
    pub class: OperationClass,
    /// Who carries it out.
    pub built: Built,
}

/// What a token must grant, as `LiveKit`'s own server asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// `roomCreate`.
    Create,
    /// `roomList`.
    List,
    /// `roomAdmin` for the room.
    Admin,
    /// `roomAdmin` for the room, and `destinationRoom`.
    AdminBoth,
    /// `roomRecord`.
    Record,
    /// `ingressAdmin`.
    Ingress,
    /// `sip.admin`.
    SipAdmin,
    /// `sip.call`.
    SipCall,
    /// Something of `LiveKit`'s cloud alone.
    Other,
}

impl Grant {
    /// The words in the table.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Create => "`roomCreate`",
            Self::List => "`roomList`",
            Self::Admin => "`roomAdmin` and the room",
            Self::AdminBoth => "`roomAdmin`, the room and `destinationRoom`",
            Self::Record => "`roomRecord`",
            Self::Ingress => "`ingressAdmin`",
            Self::SipAdmin => "`sip.admin`",
            Self::SipCall => "`sip.call`",
            Self::Other => "-",
        }
    }
}

/// Who carries a method out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    /// Rooms.
    Rooms,
    /// Dispatches of agents.
    Dispatches,
    /// Nobody; why, one sentence.
    No(&'static str),
}

impl Method {
    /// The method at a path, `/twirp/livekit.<Service>/<Method>`.
    pub(super) fn of_path(path: &str) -> Option<&'static Self> {
        let (service, name) = path.strip_prefix("/twirp/livekit.")?.split_once('/')?;
        METHODS.iter().find(|method| method.service == service && method.name == name)
    }

    /// Is it built? Forwarding and moving are checked, and then refused.
    pub fn is_built(&self) -> bool {
        !matches!(self.built, No(_)) && self.grant != Grant::AdminBoth
    }
}

const EGRESS: Built = No("recording and streaming of rooms (egress) is not implemented yet");
const INGRESS: Built = No("taking in streams from outside (ingress) is not implemented yet");
const SIP: Built = No("telephony (SIP) is not implemented yet");
const CONNECTOR: Built = No("calls from WhatsApp and Twilio are a service of LiveKit's cloud");
const PHONE: Built = No("phone numbers are a service of LiveKit's cloud");
const CLOUD_AGENT: Built =
    No("agents are not hosted here; run a worker that connects to /agent of this server");
const SIMULATION: Built = No("simulations of agents are a service of LiveKit's cloud");
const REPLAY: Built = No("replays of rooms are a service of LiveKit's cloud");

const fn method(
    service: &'static str,
    name: &'static str,
    grant: Grant,
    class: OperationClass,
    built: Built,
) -> Method {
    Method { service, name, grant, class, built }
}

/// Every method of every service, in the order of the services' definitions.
#[rustfmt::skip]
pub const METHODS: &[Method] = &[
    method("RoomService", "CreateRoom", Grant::Create, Join, Rooms),
    method("RoomService", "ListRooms", Grant::List, Dismiss, Rooms),
    method("RoomService", "DeleteRoom", Grant::Create, Dismiss, Rooms),
    method("RoomService", "ListParticipants", Grant::Admin, Dismiss, Rooms),
    method("RoomService", "GetParticipant", Grant::Admin, Dismiss, Rooms),
    method("RoomService", "RemoveParticipant", Grant::Admin, Dismiss, Rooms),
    method("RoomService", "MutePublishedTrack", Grant::Admin, Dismiss, Rooms),
    method("RoomService", "UpdateParticipant", Grant::Admin, Api, Rooms),
    method("RoomService", "UpdateSubscriptions", Grant::Admin, Api, Rooms),
    method("RoomService", "SendData", Grant::Admin, Api, Rooms),
    method("RoomService", "UpdateRoomMetadata", Grant::Admin, Api, Rooms),
    method("RoomService", "ForwardParticipant", Grant::AdminBoth, Api, Rooms),
    method("RoomService", "MoveParticipant", Grant::AdminBoth, Api, Rooms),
    method("RoomService", "PerformRpc", Grant::Admin, Api, Rooms),
    method("AgentDispatchService", "CreateDispatch", Grant::Admin, Join, Dispatches),
    method("AgentDispatchService", "DeleteDispatch", Grant::Admin, Dismiss, Dispatches),
    method("AgentDispatchService", "ListDispatch", Grant::Admin, Dismiss, Dispatches),
    method("Egress", "StartEgress", Grant::Record, Join, EGRESS),
    method("Egress", "UpdateLayout", Grant::Record, Api, EGRESS),
    method("Egress", "UpdateStream", Grant::Record, Api, EGRESS),
    method("Egress", "ListEgress", Grant::Record, Dismiss, EGRESS),
    method("Egress", "StopEgress", Grant::Record, Dismiss, EGRESS),
    method("Egress", "StartRoomCompositeEgress", Grant::Record, Join, EGRESS),
    method("Egress", "StartWebEgress", Grant::Record, Join, EGRESS),
    method("Egress", "StartParticipantEgress", Grant::Record, Join, EGRESS),
    method("Egress", "StartTrackCompositeEgress", Grant::Record, Join, EGRESS),
    method("Egress", "StartTrackEgress", Grant::Record, Join, EGRESS),
    method("Ingress", "CreateIngress", Grant::Ingress, Join, INGRESS),
    method("Ingress", "UpdateIngress", Grant::Ingress, Api, INGRESS),
    method("Ingress", "ListIngress", Grant::Ingress, Dismiss, INGRESS),
    method("Ingress", "DeleteIngress", Grant::Ingress, Dismiss, INGRESS),
    method("SIP", "ListSIPTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "CreateSIPInboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "CreateSIPOutboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "UpdateSIPInboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "UpdateSIPOutboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "GetSIPInboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "GetSIPOutboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "ListSIPInboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "ListSIPOutboundTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "DeleteSIPTrunk", Grant::SipAdmin, Api, SIP),
    method("SIP", "CreateSIPDispatchRule", Grant::SipAdmin, Api, SIP),
    method("SIP", "UpdateSIPDispatchRule", Grant::SipAdmin, Api, SIP),
    method("SIP", "ListSIPDispatchRule", Grant::SipAdmin, Api, SIP),
    method("SIP", "DeleteSIPDispatchRule", Grant::SipAdmin, Api, SIP),
    method("SIP", "CreateSIPParticipant", Grant::SipCall, Join, SIP),
    method("SIP", "TransferSIPParticipant", Grant::SipCall, Api, SIP),
    method("Connector", "DialWhatsAppCall", Grant::Create, Join, CONNECTOR),
    method("Connector", "DisconnectWhatsAppCall", Grant::Create, Dismiss, CONNECTOR),
    method("Connector", "ConnectWhatsAppCall", Grant::Create, Join, CONNECTOR),
    method("Connector", "AcceptWhatsAppCall", Grant::Create, Join, CONNECTOR),
    method("Connector", "ConnectTwilioCall", Grant::Create, Join, CONNECTOR),
    method("PhoneNumberService", "SearchPhoneNumbers", Grant::Other, Api, PHONE),
    method("PhoneNumberService", "PurchasePhoneNumber", Grant::Other, Api, PHONE),
    method("PhoneNumberService", "ListPhoneNumbers", Grant::Other, Api, PHONE),
    method("PhoneNumberService", "GetPhoneNumber", Grant::Other, Api, PHONE),
    method("PhoneNumberService", "UpdatePhoneNumber", Grant::Other, Api, PHONE),
    method("PhoneNumberService", "ReleasePhoneNumbers", Grant::Other, Api, PHONE),
    method("CloudAgent", "CreateAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "CreateAgentV2", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "PromoteAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "ListAgents", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "ListAgentVersions", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "ListAgentSecrets", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "UpdateAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "RestartAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "DeployAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "DeployAgentV2", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "UpdateAgentSecrets", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "RollbackAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "DeleteAgent", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "GetClientSettings", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "CreatePrivateLink", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "DestroyPrivateLink", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "ListPrivateLinks", Grant::Other, Api, CLOUD_AGENT),
    method("CloudAgent", "GetPrivateLinkStatus", Grant::Other, Api, CLOUD_AGENT),
    method("AgentSimulation", "CreateSimulationRun", Grant::Other, Api, SIMULATION),
    method("AgentSimulation", "ConfirmSimulationSourceUpload", Grant::Other, Api, SIMULATION),
    method("AgentSimulation", "GetSimulationRun", Grant::Other, Api, SIMULATION),
    method("AgentSimulation", "ListSimulationRuns", Grant::Other, Api, SIMULATION),
    method("AgentSimulation", "CountSimulationRuns", Grant::Other, Api, SIMULATION),
    method("AgentSimulation", "CancelSimulationRun", Grant::Other, Api, SIMULATION),
    method("AgentSimulation", "CreateScenarioFromSession", Grant::Other, Api, SIMULATION),
    method("Replay", "ListReplays", Grant::Record, Recordings, REPLAY),
    method("Replay", "Playback", Grant::Record, Recordings, REPLAY),
    method("Replay", "Seek", Grant::Record, Recordings, REPLAY),
    method("Replay", "Close", Grant::Record, Recordings, REPLAY),
    method("Replay", "Export", Grant::Record, Recordings, REPLAY),
    method("Replay", "DeleteReplay", Grant::Record, Recordings, REPLAY),
];

/// The table as the guide shows it: built methods with grant and class, then services that are not built.
pub fn markdown() -> String {
    let mut text = String::from("| method | token needs | class |\n| --- | --- | --- |\n");
    for method in METHODS.iter().filter(|method| method.is_built()) {
        let (service, name) = (method.service, method.name);
        let (grant, class) = (method.grant.text(), method.class.code());
        let _ = writeln!(text, "| `{service}/{name}` | {grant} | `{class}` |");
    }
    text.push_str("\nThese answer `unimplemented`:\n\n| method | why |\n| --- | --- |\n");
    for method in METHODS.iter().filter(|method| !method.is_built()) {
        let why = match method.built {
            No(why) => why,
            Rooms | Dispatches => "participants cannot be forwarded or moved to another room",
        };
        let _ = writeln!(text, "| `{}/{}` | {why} |", method.service, method.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Services of `livekit-protocol` 0.8.2 with all their methods, as its definitions have them.
    const SERVICES: &[(&str, &str)] = &[
        (
            "RoomService",
            "CreateRoom ListRooms DeleteRoom ListParticipants GetParticipant RemoveParticipant MutePublishedTrack \
             UpdateParticipant UpdateSubscriptions SendData UpdateRoomMetadata ForwardParticipant MoveParticipant \
             PerformRpc",
        ),
        ("AgentDispatchService", "CreateDispatch DeleteDispatch ListDispatch"),
        (
            "Egress",
            "StartEgress UpdateLayout UpdateStream ListEgress StopEgress StartRoomCompositeEgress StartWebEgress \
             StartParticipantEgress StartTrackCompositeEgress StartTrackEgress",
        ),
        ("Ingress", "CreateIngress UpdateIngress ListIngress DeleteIngress"),
        (
            "SIP",
            "ListSIPTrunk CreateSIPInboundTrunk CreateSIPOutboundTrunk UpdateSIPInboundTrunk UpdateSIPOutboundTrunk \
             GetSIPInboundTrunk GetSIPOutboundTrunk ListSIPInboundTrunk ListSIPOutboundTrunk DeleteSIPTrunk \
             CreateSIPDispatchRule UpdateSIPDispatchRule ListSIPDispatchRule DeleteSIPDispatchRule \
             CreateSIPParticipant TransferSIPParticipant",
        ),
        (
            "Connector",
            "DialWhatsAppCall DisconnectWhatsAppCall ConnectWhatsAppCall AcceptWhatsAppCall ConnectTwilioCall",
        ),
        (
            "PhoneNumberService",
            "SearchPhoneNumbers PurchasePhoneNumber ListPhoneNumbers GetPhoneNumber UpdatePhoneNumber \
             ReleasePhoneNumbers",
        ),
        (
            "CloudAgent",
            "CreateAgent CreateAgentV2 PromoteAgent ListAgents ListAgentVersions ListAgentSecrets UpdateAgent \
             RestartAgent DeployAgent DeployAgentV2 UpdateAgentSecrets RollbackAgent DeleteAgent GetClientSettings \
             CreatePrivateLink DestroyPrivateLink ListPrivateLinks GetPrivateLinkStatus",
        ),
        (
            "AgentSimulation",
            "CreateSimulationRun ConfirmSimulationSourceUpload GetSimulationRun ListSimulationRuns \
             CountSimulationRuns CancelSimulationRun CreateScenarioFromSession",
        ),
        ("Replay", "ListReplays Playback Seek Close Export DeleteReplay"),
    ];

    #[test]
    fn the_table_has_every_method_once() {
        let expected: Vec<_> = SERVICES
            .iter()
            .flat_map(|(service, names)| names.split_whitespace().map(move |name| (*service, name)))
            .collect();
        let table: Vec<_> = METHODS.iter().map(|method| (method.service, method.name)).collect();
        assert_eq!(table, expected);
        for (service, name) in expected {
            let found = Method::of_path(&format!("/twirp/livekit.{service}/{name}")).unwrap();
            assert_eq!((found.service, found.name), (service, name));
        }
    }

    /// Whoever moves to another version of the protocol compares the list above with its services.
    #[test]
    fn the_list_is_of_the_version_that_is_used() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(lock.contains("name = \"livekit-protocol\"\nversion = \"0.8.2\"\n"));
    }

    #[test]
    fn other_paths_have_no_method() {
        for path in [
            "/twirp/livekit.RoomService/createRoom",
            "/twirp/livekit.RoomService/CreateRoom/",
            "/twirp/RoomService/CreateRoom",
            "/twirp/livekit.RoomService",
            "/twirp/livekit./CreateRoom",
        ] {
            assert!(Method::of_path(path).is_none(), "{path}");
        }
    }

    #[test]
    fn what_lowers_cost_and_harm_stays_open() {
        let dismiss: Vec<_> = METHODS
            .iter()
            .filter(|method| method.is_built() && method.class == Dismiss)
            .map(|method| method.name)
            .collect();
        let expected = [
            "ListRooms",
            "DeleteRoom",
            "ListParticipants",
            "GetParticipant",
            "RemoveParticipant",
            "MutePublishedTrack",
            "DeleteDispatch",
            "ListDispatch",
        ];
        assert_eq!(dismiss, expected);
        assert_eq!(METHODS.iter().filter(|method| method.is_built()).count(), 15);
        let page = markdown();
        assert!(page.contains("| `RoomService/DeleteRoom` | `roomCreate` | `dismiss` |\n"));
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        assert_eq!(rows.count(), METHODS.len());
    }
}
