//! What the older signatures need against replay: the nonces of the last minutes.
//!
//! A request may come as long as its time is within the allowed skew; so long its nonce is remembered.
//! What it is not: it is not shared between processes and does not outlive one; a restart forgets.
//!
//! **Invariant:** nothing is forgotten while a copy of its request would still be believed: when full, it refuses.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use crate::limits::{NONCES_MAX, NONCES_PER_SECRET_MAX, SKEW_S};
use crate::tc_legacy::Presented;
use crate::tc3::Tc3Error;

/// Nonces seen, by secret pair.
#[derive(Debug)]
pub struct NonceMemory {
    per_secret_max: usize,
    max: usize,
    len: usize,
    /// Of each pair (last second in which a copy would be believed, nonce).
    secrets: HashMap<String, BTreeSet<(i64, u64)>>,
}

impl Default for NonceMemory {
    fn default() -> Self {
        Self::new(NONCES_PER_SECRET_MAX, NONCES_MAX)
    }
}

impl NonceMemory {
    /// One with other bounds than those of `limits`.
    pub fn new(per_secret_max: usize, max: usize) -> Self {
        Self { per_secret_max, max, len: 0, secrets: HashMap::new() }
    }

    /// How many nonces it holds; for a gauge.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Remembers a request whose signature was verified.
    ///
    /// To be called after [`Presented::verify`], so that nobody fills the memory without a key.
    ///
    /// # Errors
    /// [`Tc3Error::SignatureExpire`] for a request that was here already,
    /// [`Tc3Error::RequestLimitExceeded`] when there is no room.
    pub fn admit(&mut self, request: &Presented, now: Timestamp) -> Result<(), Tc3Error> {
        self.remember(request.secret_id(), request.nonce(), request.timestamp(), now)
    }

    /// The same by its parts: secret pair, nonce, and time of the request in seconds since 1970.
    ///
    /// # Errors
    /// As [`NonceMemory::admit`].
    pub fn remember(
        &mut self,
        secret_id: &str,
        nonce: u64,
        timestamp: i64,
        now: Timestamp,
    ) -> Result<(), Tc3Error> {
        let now_s = now.as_second();
        self.forget(secret_id, now_s);
        let key = (timestamp.saturating_add(SKEW_S), nonce);
        let held = self.secrets.get(secret_id);
        if held.is_some_and(|set| set.contains(&key)) {
            return Err(Tc3Error::SignatureExpire(format!(
                "The request with Nonce {nonce} and Timestamp {timestamp} was here already; each needs a Nonce of its own."
            )));
        }
        if !self.has_room(secret_id) {
            self.forget_all(now_s);
        }
        if !self.has_room(secret_id) {
            let max = self.per_secret_max;
            return Err(Tc3Error::RequestLimitExceeded(format!(
                "There were too many requests with HmacSHA1 or HmacSHA256 in the last minutes (at most {max} for each \
                 SecretId, fewer while many are used); use TC3-HMAC-SHA256, which has no such limit."
            )));
        }
        self.secrets.entry(secret_id.to_owned()).or_default().insert(key);
        self.len += 1;
        Ok(())
    }

    /// Is there room for one more of a pair? None may hold more than is free, so that however many pairs fill the
    /// memory, as much as the fullest of them holds is left for a pair that comes later.
    fn has_room(&self, secret_id: &str) -> bool {
        let of_secret = self.secrets.get(secret_id).map_or(0, BTreeSet::len);
        of_secret < self.per_secret_max.min(self.max.saturating_sub(self.len))
    }

    /// Drops what is past in one pair.
    fn forget(&mut self, secret_id: &str, now_s: i64) {
        let Some(set) = self.secrets.get_mut(secret_id) else { return };
        self.len -= drop_past(set, now_s);
        if set.is_empty() {
            self.secrets.remove(secret_id);
        }
    }

    /// Drops what is past in all pairs.
    fn forget_all(&mut self, now_s: i64) {
        let len = &mut self.len;
        self.secrets.retain(|_, set| {
            *len -= drop_past(set, now_s);
            !set.is_empty()
        });
    }
}

/// Drops what is past, and says how many; costs nothing when there is nothing.
fn drop_past(set: &mut BTreeSet<(i64, u64)>, now_s: i64) -> usize {
    let before = set.len();
    while set.first().is_some_and(|(last, _)| *last < now_s) {
        set.pop_first();
    }
    before - set.len()
}
