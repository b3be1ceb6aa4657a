//! What happened to whom in which room, remembered for a while: bounded in age and in number.
//!
//! What it is not: it knows no clock and no meaning; whoever keeps one says what is too old.

use std::collections::{HashMap, VecDeque};

use fermata_types::{RoomName, SdkAppId};

/// Whose stay in which room.
pub(crate) type Key = (SdkAppId, RoomName, String);

/// The last moments by person and room, the newest of each.
#[derive(Debug)]
pub(crate) struct Recent<T> {
    at: HashMap<Key, T>,
    order: VecDeque<(T, Key)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { at: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T: Copy + PartialEq> Recent<T> {
    /// Notes a moment; forgets what `is_old`, and the oldest where there would be more than `len_max`.
    pub(crate) fn insert(&mut self, key: Key, at: T, len_max: usize, is_old: impl Fn(T) -> bool) {
        while let Some((first, _)) = self.order.front() {
            if !is_old(*first) && self.order.len() < len_max {
                break;
            }
            let Some((first, old)) = self.order.pop_front() else { break };
            // A later moment of the same person has its own place in the order.
            if self.at.get(&old) == Some(&first) {
                self.at.remove(&old);
            }
        }
        self.at.insert(key.clone(), at);
        self.order.push_back((at, key));
    }

    /// The last moment of a person in a room.
    pub(crate) fn get(&self, app: SdkAppId, room: &RoomName, identity: &str) -> Option<T> {
        self.at.get(&(app, room.clone(), identity.to_owned())).copied()
    }

    /// How many moments, and of how many persons.
    #[cfg(test)]
    pub(crate) fn lens(&self) -> (usize, usize) {
        (self.order.len(), self.at.len())
    }
}
