//! Who may enter, and which rooms may be made: the one place that decides, as pure functions.
//!
//! What it is not: it reads no token (that was done) and changes nothing. The standing policy
//! speaks here through [`Verdict`].

use fermata_types::{Reason, Refusal, Role, RoomName, Scene};
use jiff::Timestamp;

use crate::Limits;
use crate::io::{Join, RoomOptions, Verdict};
use crate::limits::{
    ATTRIBUTES_LEN_MAX, IDENTITY_LEN_MAX, METADATA_LEN_MAX, NAME_LEN_MAX, WAITING_ROOMS_MAX,
};

/// What there is already, as admission needs it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// The room, if it lives.
    pub room: Option<RoomFacts>,
    /// Rooms of this node.
    pub rooms: usize,
    /// Rooms of the application that were made and nobody is in, as far as that matters: for [`admit_room`] alone.
    pub waiting: usize,
    /// Participants of this node.
    pub participants: usize,
    /// Those of the application whose media has never connected so far.
    pub connecting: usize,
    /// This identity left this room within the disconnect timeout.
    pub left_recently: bool,
    /// When this identity was last removed from this room.
    pub removed_at: Option<Timestamp>,
    /// The server is stopping.
    pub stopping: bool,
}

/// The room that is to be entered.
#[derive(Debug, Clone, Copy)]
pub struct RoomFacts {
    /// Its scene.
    pub scene: Scene,
    /// Users in it, without an earlier stay of the same identity.
    pub others: usize,
    /// Most users, by its own options; 0 = the scene's rule.
    pub participants_max: u32,
    /// An earlier stay of the same identity is in it and would be replaced.
    pub replaces: bool,
}

/// What an admitted user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// Scene of the room, existing or new.
    pub scene: Scene,
    /// Role; in scene `call` everybody is an anchor.
    pub role: Role,
}

/// Decides on a join. The first rule that fails names the reason; an application's refusals come all at once.
///
/// # Errors
/// The [`Refusal`] to show to the client.
pub fn admit(
    join: &Join,
    verdict: Option<&Verdict>,
    facts: &Facts,
    limits: &Limits,
) -> Result<Admission, Refusal> {
    if facts.stopping {
        return Err(Reason::Unavailable.into());
    }
    let verdict = verdict.ok_or(Reason::KeyUnknown)?;
    check_texts(join)?;
    // Whoever is inside already stays inside, also through a reload of the page (policy A21).
    let was_inside = facts.left_recently || facts.room.is_some_and(|room| room.replaces);
    let inside = verdict.inside && was_inside;
    if !inside && let Some(refusal) = Refusal::from_reasons(verdict.refused.clone()) {
        return Err(refusal);
    }
    check_revocation(join, facts)?;
    let scene = match facts.room {
        Some(room) => room.scene,
        None => join.room_options.scene.unwrap_or(verdict.default_scene),
    };
    check_room(join, scene, facts, limits)?;
    let role = if scene == Scene::Call { Role::Anchor } else { join.role };
    Ok(Admission { scene, role })
}

/// Decides on a room that is to be made before anybody enters: what a join that makes it would be asked, but for
/// who enters. Only `rooms`, `waiting` and `stopping` of the facts matter, and the room is not there.
///
/// # Errors
/// The [`Refusal`] to show to who asks.
pub fn admit_room(
    name: &RoomName,
    options: &RoomOptions,
    verdict: Option<&Verdict>,
    facts: &Facts,
    limits: &Limits,
) -> Result<Scene, Refusal> {
    if facts.stopping {
        return Err(Reason::Unavailable.into());
    }
    let verdict = verdict.ok_or(Reason::KeyUnknown)?;
    check_room_name(name)?;
    check_room_metadata(options)?;
    if let Some(refusal) = Refusal::from_reasons(verdict.refused.clone()) {
        return Err(refusal);
    }
    check_place(facts, limits)?;
    if facts.waiting >= WAITING_ROOMS_MAX {
        let detail =
            format!("{} rooms of the application wait for their first user", facts.waiting);
        return Err(Refusal::with_detail(Reason::NodeFull, detail));
    }
    Ok(options.scene.unwrap_or(verdict.default_scene))
}

fn check_room_name(name: &RoomName) -> Result<(), Refusal> {
    match name {
        RoomName::Text(name) if name.is_empty() || name.len() > RoomName::LEN_MAX => {
            let detail = format!("it has {} bytes", name.len());
            Err(Refusal::with_detail(Reason::RoomNameInvalid, detail))
        }
        _ => Ok(()),
    }
}

fn check_room_metadata(options: &RoomOptions) -> Result<(), Refusal> {
    let len = options.metadata.len();
    if len > METADATA_LEN_MAX {
        let detail = format!("the room's metadata has {len} bytes");
        return Err(Refusal::with_detail(Reason::AttributesTooLarge, detail));
    }
    Ok(())
}

/// Whether there is a place for another room.
fn check_place(facts: &Facts, limits: &Limits) -> Result<(), Refusal> {
    if facts.rooms >= limits.rooms_max {
        return Err(Reason::NodeFull.into());
    }
    Ok(())
}

/// Sizes of what the user brings along.
fn check_texts(join: &Join) -> Result<(), Refusal> {
    let detail = |reason, what: &str, len: usize| {
        Err(Refusal::with_detail(reason, format!("{what} has {len} bytes")))
    };
    if join.identity.is_empty() {
        return Err(Reason::IdentityMissing.into());
    }
    if join.identity.len() > IDENTITY_LEN_MAX {
        return detail(Reason::IdentityTooLong, "it", join.identity.len());
    }
    check_room_name(&join.room)?;
    if join.name.len() > NAME_LEN_MAX {
        return detail(Reason::AttributesTooLarge, "the name", join.name.len());
    }
    if join.metadata.len() > METADATA_LEN_MAX {
        return detail(Reason::AttributesTooLarge, "the metadata", join.metadata.len());
    }
    check_room_metadata(&join.room_options)?;
    let attributes: usize = join.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
    if attributes > ATTRIBUTES_LEN_MAX {
        return detail(Reason::AttributesTooLarge, "the attributes", attributes);
    }
    Ok(())
}

/// A token from before a removal (same second included) does not help.
fn check_revocation(join: &Join, facts: &Facts) -> Result<(), Refusal> {
    match facts.removed_at {
        Some(removed_at) if join.issued_at <= removed_at.as_second() => Err(Reason::Revoked.into()),
        _ => Ok(()),
    }
}

/// Existence and places.
fn check_room(join: &Join, scene: Scene, facts: &Facts, limits: &Limits) -> Result<(), Refusal> {
    let replaces = facts.room.is_some_and(|room| room.replaces);
    if facts.participants >= limits.participants_max && !replaces {
        return Err(Reason::NodeFull.into());
    }
    // Who never connects holds a place for a while; one application's must not hold everybody's.
    if facts.connecting >= limits.connecting_max && !replaces {
        let detail = format!("{} of the application's people are connecting", facts.connecting);
        return Err(Refusal::with_detail(Reason::NodeFull, detail));
    }
    let Some(room) = facts.room else {
        if !join.may_create {
            return Err(Reason::RoomMissing.into());
        }
        return check_place(facts, limits);
    };
    let scene_max = match scene {
        Scene::Call => limits.call_users_max,
        Scene::Live => limits.live_users_max,
    };
    let own_max = match room.participants_max {
        0 => usize::MAX,
        max => usize::try_from(max).unwrap_or(usize::MAX),
    };
    let max = scene_max.min(own_max);
    if room.others >= max {
        return Err(Refusal::with_detail(Reason::RoomFull, format!("it may have {max}")));
    }
    Ok(())
}
