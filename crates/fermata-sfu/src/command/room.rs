//! Rooms: listed, made, described anew, dismissed.

use std::time::Duration;

use fermata_types::{RoomName, SdkAppId};

use super::{Answer, bounded, limited};
use crate::admission::{Facts, admit_room};
use crate::io::{Reply, RoomOptions, RoomSnapshot};
use crate::key::RoomId;
use crate::limits::{
    EMPTY_TIMEOUT_MAX_S, METADATA_LEN_MAX, NAME_LEN_MAX, ROOM_AGENTS_LEN_MAX, ROOM_AGENTS_MAX,
    WAITING_ROOMS_MAX,
};
use crate::room::{EMPTY_TIMEOUT_S, Room};
use crate::sfu::Sfu;
use crate::timer::Timer;

impl Sfu {
    pub(super) fn list_rooms(&self, app: SdkAppId) -> Vec<RoomSnapshot> {
        let rooms = self.rooms.values().filter(|room| room.app == app);
        rooms.filter_map(|room| self.room_snapshot(room)).collect()
    }

    fn room_snapshot(&self, room: &Room) -> Option<RoomSnapshot> {
        let info = self.room_info(room.id)?;
        Some(RoomSnapshot { info, name: room.name.clone(), scene: room.scene })
    }

    fn room_reply(&self, id: RoomId) -> Answer {
        let room = self.rooms.get(&id).and_then(|room| self.room_snapshot(room));
        room.map(|room| Reply::Room(Box::new(room))).ok_or(Reply::NoSuchRoom)
    }

    /// A room that waits for its first user; one that lives stays as it is.
    pub(super) fn create_room(
        &mut self,
        app: SdkAppId,
        name: RoomName,
        options: RoomOptions,
    ) -> Answer {
        if let Some(id) = self.find_room(app, &name) {
            return self.room_reply(id);
        }
        check(&options)?;
        let facts = Facts {
            rooms: self.rooms.len(),
            waiting: self.waiting_rooms(app),
            stopping: self.stopping,
            ..Facts::default()
        };
        let (verdict, limits) = (self.verdicts.get(&app), &self.config.limits);
        let scene = admit_room(&name, &options, verdict, &facts, limits).map_err(Reply::Refused)?;
        let wait = options.empty_timeout_s.unwrap_or(EMPTY_TIMEOUT_S);
        let id = self.make_room((app, name), scene, options, None);
        let at = self.context.now.instant + Duration::from_secs(wait.into());
        self.context.timers.arm(Timer::RoomClose(id), at);
        self.room_reply(id)
    }

    /// Rooms of an application that nobody is in; not counted where there are too few rooms for a limit.
    fn waiting_rooms(&self, app: SdkAppId) -> usize {
        if self.rooms.len() < WAITING_ROOMS_MAX {
            return 0;
        }
        self.rooms.values().filter(|room| room.app == app && room.members.is_empty()).count()
    }

    pub(super) fn set_room_metadata(
        &mut self,
        app: SdkAppId,
        name: &RoomName,
        metadata: String,
    ) -> Answer {
        let id = self.room(app, name)?;
        bounded("the metadata", metadata.len(), METADATA_LEN_MAX)?;
        if let Some(room) = self.rooms.get_mut(&id) {
            room.options.metadata = metadata;
        }
        self.tell_room(id);
        self.room_reply(id)
    }

    pub(super) fn dismiss_room(&mut self, app: SdkAppId, name: &RoomName) -> Answer {
        let id = self.room(app, name)?;
        self.close_room(id);
        Ok(Reply::Done)
    }
}

/// What an API may ask for beyond what admission looks at.
fn check(options: &RoomOptions) -> Result<(), Reply> {
    let wait = options.empty_timeout_s.unwrap_or(0);
    if wait > EMPTY_TIMEOUT_MAX_S {
        return Err(Reply::Invalid(format!(
            "the empty timeout is {wait} s; at most {EMPTY_TIMEOUT_MAX_S} s are allowed"
        )));
    }
    limited("agents", options.agents.len(), ROOM_AGENTS_MAX)?;
    let mut sum = 0;
    for agent in &options.agents {
        bounded("the name of an agent", agent.agent_name.len(), NAME_LEN_MAX)?;
        let attributes = agent.attributes.iter().map(|(key, value)| key.len() + value.len());
        sum += agent.metadata.len() + agent.deployment.len() + attributes.sum::<usize>();
    }
    bounded("what the agents are to be told", sum, ROOM_AGENTS_LEN_MAX)
}
