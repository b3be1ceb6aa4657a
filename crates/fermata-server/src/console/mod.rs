//! Signing in to the console: what is held in memory for it, and who a session's token belongs to.
//!
//! Users and sessions are in the store and are read from there with each request: whoever is disabled is out with the
//! next one. Here are what bounds attempts ([`throttle`]), the places where passwords are hashed, the cookie
//! ([`cookie`]), and the order of changes.
//! What it is not: HTTP; the calls are in `v1/console_session.rs` and its neighbours.

pub mod cookie;
pub mod throttle;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use fermata_auth::{api_token, console_session, password};
use fermata_store::{ConsoleSession, ConsoleUser};
use fermata_types::Now;
use tokio::sync::{MutexGuard, Semaphore};
use tokio::task::spawn_blocking;

use crate::dev;
use crate::limits::{
    PASSWORD_HASHES_MAX, PASSWORD_HASHES_WAITING_MAX, SIGN_IN_COUNTED_MAX,
    SIGN_IN_FAILURES_PER_ADDRESS, SIGN_IN_FAILURES_PER_NAME, SIGN_IN_PERIOD,
};
use crate::metrics::Metric;
use crate::secret;
use crate::server::Shared;
use crate::v1::error::ApiError;
use throttle::Throttle;

/// What signing in needs in memory.
#[derive(Debug)]
pub struct Console {
    names: Mutex<Throttle<String>>,
    addresses: Mutex<Throttle<IpAddr>>,
    /// Room for passwords that are hashed or wait for it.
    waiting: Arc<Semaphore>,
    /// Room for those that are hashed.
    hashing: Arc<Semaphore>,
    changing: tokio::sync::Mutex<()>,
}

impl Default for Console {
    fn default() -> Self {
        let throttle = (SIGN_IN_PERIOD, SIGN_IN_COUNTED_MAX);
        Self {
            names: Mutex::new(Throttle::new(SIGN_IN_FAILURES_PER_NAME, throttle.0, throttle.1)),
            addresses: Mutex::new(Throttle::new(
                SIGN_IN_FAILURES_PER_ADDRESS,
                throttle.0,
                throttle.1,
            )),
            waiting: Arc::new(Semaphore::new(PASSWORD_HASHES_WAITING_MAX)),
            hashing: Arc::new(Semaphore::new(PASSWORD_HASHES_MAX)),
            changing: tokio::sync::Mutex::default(),
        }
    }
}

/// An attempt that is counted as failed until it is forgiven.
#[derive(Debug)]
#[must_use = "an attempt that is not forgiven counts as failed"]
pub struct Attempt {
    name: String,
    address: IpAddr,
}

impl Console {
    /// Held from before a user is looked at until what follows from it is stored, so that nobody signs in with what
    /// was changed meanwhile, and no one-time code is taken twice.
    pub async fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Takes an attempt back: nothing was guessed wrong.
    pub fn forgive(&self, attempt: &Attempt) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).give_back(&attempt.name);
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).give_back(&attempt.address);
    }

    /// Is it the password with this hash?
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] when too many wait.
    pub async fn verify(&self, text: &str, hash: &str) -> Result<bool, ApiError> {
        let (text, hash) = (text.to_owned(), hash.to_owned());
        self.hashed(move || password::verify(&text, &hash)).await
    }

    /// The hash of a new password; `field` is what errors call it.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] if it is too short or too long, [`ApiError::Unavailable`] when too many wait.
    pub async fn hash(&self, field: &str, text: &str) -> Result<String, ApiError> {
        let wrong = |error| ApiError::Invalid(format!("{field}: {error}"));
        password::check(text).map_err(wrong)?;
        let (text, salt) = (text.to_owned(), secret::password_salt()?);
        let hashed = self.hashed(move || password::hash(&text, salt)).await?;
        hashed.map_err(|error| {
            tracing::error!(%error, "A password was not hashed.");
            ApiError::Internal
        })
    }

    /// Does work with a password where it keeps nobody waiting. It holds its place even if nobody waits for it.
    async fn hashed<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned();
        let waiting = waiting.map_err(|_| ApiError::Unavailable)?;
        let hashing = Arc::clone(&self.hashing).acquire_owned().await;
        let places = (waiting, hashing.map_err(|_| ApiError::Unavailable)?);
        let done = spawn_blocking(move || {
            let done = work();
            drop(places);
            done
        });
        done.await.map_err(|_| ApiError::Internal)
    }
}

/// Begins an attempt to guess something of the user with this name, from this address.
///
/// # Errors
/// [`ApiError::TooManyAttempts`].
pub fn attempt(shared: &Shared, name: &str, address: IpAddr) -> Result<Attempt, ApiError> {
    let attempt = Attempt { name: name.to_lowercase(), address: counted(address) };
    let now = Now::read().instant;
    let Console { names, addresses, .. } = &shared.console;
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    let mut addresses = addresses.lock().unwrap_or_else(PoisonError::into_inner);
    let taken = addresses.take(&attempt.address, now).and_then(|()| {
        names.take(&attempt.name, now).inspect_err(|_| addresses.give_back(&attempt.address))
    });
    taken.map(|()| attempt).map_err(|wait| {
        shared.metrics.add(Metric::ConsoleSignInsThrottled, 1);
        tracing::info!(%address, "Refused an attempt to sign in to the console: there were too many.");
        ApiError::TooManyAttempts(wait)
    })
}

/// What an address is counted as: who has one of IPv6 has its whole network of 64 bits.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

/// Whom a session's token belongs to.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user, as stored.
    pub user: ConsoleUser,
    /// The session, as stored.
    pub session: ConsoleSession,
    /// Its word against forged requests.
    pub csrf_token: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user).finish_non_exhaustive()
    }
}

/// May this user sign in, and go on? Not if it is disabled; development mode's not elsewhere.
pub fn in_force(shared: &Shared, user: &ConsoleUser) -> bool {
    user.disabled_at.is_none() && (shared.settings.dev || user.id.as_str() != dev::CONSOLE_USER_ID)
}

/// The session with this token, if it is in force.
///
/// # Errors
/// [`ApiError`] if the store cannot be read.
pub async fn signed_in(shared: &Shared, token: &str) -> Result<Option<SignedIn>, ApiError> {
    if !console_session::is_token(token) {
        return Ok(None);
    }
    let found = shared.store.console_session(api_token::hash(token), Now::read().wall).await?;
    let found = found.filter(|(_, user)| in_force(shared, user));
    let csrf_token = console_session::csrf_token(token);
    Ok(found.map(|(session, user)| SignedIn { user, session, csrf_token }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_ipv6_are_counted_as_one() {
        let rows = [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ];
        for (address, expected) in rows {
            let found = counted(address.parse().unwrap());
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[tokio::test]
    async fn passwords_are_hashed_a_few_at_a_time_and_not_without_end() {
        let console = Console::default();
        let places = Arc::clone(&console.waiting);
        let all = places.try_acquire_many(u32::try_from(PASSWORD_HASHES_WAITING_MAX).unwrap());
        let refused = console.verify("x", "y").await;
        assert!(matches!(refused, Err(ApiError::Unavailable)), "{refused:?}");
        drop(all);
        let hash = console.hash("password", "twelve chars").await.unwrap();
        assert!(console.verify("twelve chars", &hash).await.unwrap());
        assert!(!console.verify("twelve cars", &hash).await.unwrap());
        let short = console.hash("new", "short").await;
        assert!(matches!(short, Err(ApiError::Invalid(text)) if text.starts_with("new: it has 5")));
        assert_eq!(console.waiting.available_permits(), PASSWORD_HASHES_WAITING_MAX);
        assert_eq!(console.hashing.available_permits(), PASSWORD_HASHES_MAX);
    }
}
