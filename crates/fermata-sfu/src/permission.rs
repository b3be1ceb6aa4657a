//! Whom a publisher lets subscribe to its tracks.

use std::collections::{BTreeMap, BTreeSet};

use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::key::{ParticipantId, TrackId};
use crate::limits::PERMISSION_ENTRIES_MAX;
use crate::participant::Participant;
use crate::sfu::Sfu;

/// What one subscriber may receive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tracks {
    /// Everything.
    All,
    /// These, by sid.
    Only(BTreeSet<String>),
}

/// A publisher's permission for subscribers; everybody, until it says otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowed {
    /// `None`: everybody. Else by sid or identity of the subscriber.
    entries: Option<BTreeMap<String, Tracks>>,
}

impl Allowed {
    /// Reads a client's permission. Entries beyond the limit are left out.
    pub(crate) fn from_lk(permission: &lk::SubscriptionPermission) -> Self {
        if permission.all_participants {
            return Self::default();
        }
        let mut entries = BTreeMap::new();
        for entry in permission.track_permissions.iter().take(PERMISSION_ENTRIES_MAX) {
            let whom = if entry.participant_identity.is_empty() {
                &entry.participant_sid
            } else {
                &entry.participant_identity
            };
            let sids = entry.track_sids.iter().take(PERMISSION_ENTRIES_MAX).cloned();
            let tracks = if entry.all_tracks { Tracks::All } else { Tracks::Only(sids.collect()) };
            entries.insert(whom.clone(), tracks);
        }
        Self { entries: Some(entries) }
    }

    /// Whether `subscriber` may receive the track.
    pub(crate) fn permits(&self, subscriber: &Participant, track_sid: &str) -> bool {
        self.permits_named(&subscriber.identity, subscriber.sid.as_str(), track_sid)
    }

    fn permits_named(&self, identity: &str, sid: &str, track_sid: &str) -> bool {
        let Some(entries) = &self.entries else { return true };
        [identity, sid].iter().filter_map(|name| entries.get(*name)).any(|tracks| match tracks {
            Tracks::All => true,
            Tracks::Only(sids) => sids.contains(track_sid),
        })
    }
}

impl Sfu {
    /// A publisher says who may subscribe; subscriptions follow at once.
    pub(crate) fn on_subscription_permission(
        &mut self,
        id: ParticipantId,
        permission: &lk::SubscriptionPermission,
    ) {
        if permission.track_permissions.len() > PERMISSION_ENTRIES_MAX {
            self.context.stats.limited += 1;
        }
        let Some(participant) = self.participants.get_mut(&id) else { return };
        participant.allowed = Allowed::from_lk(permission);
        let tracks: Vec<_> = participant.publications.values().copied().collect();
        let Some(room) = self.rooms.get(&participant.room) else { return };
        let members: Vec<_> = room.members.values().copied().collect();
        for member in members {
            let mut changed = false;
            for track in &tracks {
                changed |= self.reconsider(member, *track);
            }
            if changed {
                self.negotiate(member);
            }
        }
    }

    /// Tells a subscriber that a track it wants was forbidden, or is permitted after all.
    pub(crate) fn tell_permission(&mut self, id: ParticipantId, track: TrackId, allowed: bool) {
        let Self { participants, tracks, context, .. } = self;
        let Some(publication) = tracks.get(&track) else { return };
        let publisher = participants.get(&publication.publisher).map(|p| p.sid.to_string());
        let Some(participant) = participants.get_mut(&id) else { return };
        if allowed {
            participant.forbidden.remove(&track);
        } else {
            participant.forbidden.insert(track);
        }
        let update = lk::SubscriptionPermissionUpdate {
            participant_sid: publisher.unwrap_or_default(),
            track_sid: publication.sid.to_string(),
            allowed,
        };
        context.signal(participant.connection, Response::SubscriptionPermissionUpdate(update));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_by_identity_or_sid_and_by_track() {
        let entry = |identity: &str, sid: &str, all, tracks: &[&str]| lk::TrackPermission {
            participant_identity: identity.to_owned(),
            participant_sid: sid.to_owned(),
            all_tracks: all,
            track_sids: tracks.iter().map(|&t| t.to_owned()).collect(),
        };
        let allowed = Allowed::from_lk(&lk::SubscriptionPermission {
            all_participants: false,
            track_permissions: vec![
                entry("ann", "", true, &[]),
                entry("", "PA_bob", false, &["TR_1"]),
            ],
        });
        let rows = [
            ("ann", "PA_x", "TR_9", true),
            ("bob", "PA_bob", "TR_1", true),
            ("bob", "PA_bob", "TR_2", false),
            ("cid", "PA_cid", "TR_1", false),
        ];
        for (identity, sid, track, expected) in rows {
            assert_eq!(allowed.permits_named(identity, sid, track), expected, "{identity} {track}");
        }
        assert!(Allowed::default().permits_named("x", "y", "z"));
    }
}
