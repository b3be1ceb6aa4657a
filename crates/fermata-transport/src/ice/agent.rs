//! The agent: checks in, answers out.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use aws_lc_rs::hmac;

use super::allowance::Allowance;
use super::pairs::{Check, Pairs};
use super::{IceEvent, Refused, SILENCE_MAX};
use crate::candidates::{HostCandidates, Protocol};
use crate::egress::{Egress, Path};
use crate::parts::Credentials;
use crate::stun::{self, ErrorCode, Message};

/// Our credentials of one session and the peer's.
struct Session {
    local: Credentials,
    key: hmac::Key,
    remote: Option<Credentials>,
}

impl Session {
    fn new(local: Credentials) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, local.pwd.as_bytes());
        Self { local, key, remote: None }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords stay out of logs.
        f.debug_struct("Session").field("local", &self.local.ufrag).finish_non_exhaustive()
    }
}

/// Which session a check belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Current,
    Next,
}

/// Is the peer there?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Never heard.
    Waiting,
    /// Heard at that time.
    Heard(Instant),
    /// Not any more.
    Lost,
}

/// What came in, since the beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Checks granted.
    pub(crate) granted: u64,
    /// Messages that were no check, had no right fingerprint or were not of this peer.
    pub(crate) not_authenticated: u64,
    /// Of those, the ones that got no answer because there had been too many
    /// ([`crate::limits::CHECK_REFUSALS_BURST`]).
    pub(crate) passed_over: u64,
    /// Checks of this peer that could not be granted.
    pub(crate) refused: u64,
    /// Pairs dropped for want of room ([`super::PAIRS_MAX`]).
    pub(crate) pairs_dropped: u64,
}

/// One ICE-lite agent with one component.
#[derive(Debug)]
pub(crate) struct IceLite {
    candidates: HostCandidates,
    current: Session,
    /// Made by a restart; takes over with the first check that uses it.
    next: Option<Session>,
    /// Of `current`.
    session: u32,
    pairs: Pairs,
    presence: Presence,
    /// Errors for those who are not the peer.
    allowance: Allowance,
    counters: Counters,
}

impl IceLite {
    /// With our credentials and candidates.
    pub(crate) fn new(local: Credentials, candidates: HostCandidates) -> Self {
        Self {
            candidates,
            current: Session::new(local),
            next: None,
            session: 0,
            pairs: Pairs::new(),
            presence: Presence::Waiting,
            allowance: Allowance::default(),
            counters: Counters::default(),
        }
    }

    /// What to tell the peer in the next description: after [`Self::restart`], the new ones.
    pub(crate) fn local(&self) -> &Credentials {
        &self.next.as_ref().unwrap_or(&self.current).local
    }

    /// The peer's, once its description is known: of the session of [`Self::local`].
    pub(crate) fn remote(&self) -> Option<&Credentials> {
        self.next.as_ref().unwrap_or(&self.current).remote.as_ref()
    }

    /// Takes the peer's from its description. Pairs that somebody of another fragment had checked before are
    /// forgotten: ask for [`Self::selected`] again.
    pub(crate) fn set_remote(&mut self, remote: Credentials) {
        let tag = tag_of(remote.ufrag.as_bytes());
        if let Some(next) = &mut self.next {
            next.remote = Some(remote);
            return;
        }
        self.current.remote = Some(remote);
        self.pairs.keep_only(self.session, tag);
        if self.pairs.len() == 0 && self.presence != Presence::Lost {
            self.presence = Presence::Waiting;
        }
    }

    /// Begins a new session (RFC 8445 section 9) with other credentials. The old ones are good until
    /// the first check with the new ones came; the path is kept until the peer nominates one with the new ones.
    /// A session that was begun before and not used yet is forgotten.
    pub(crate) fn restart(&mut self, local: Credentials) {
        self.next = Some(Session::new(local));
    }

    /// Where to send. `None` before the first check, and while the peer is lost.
    pub(crate) fn selected(&self) -> Option<Path> {
        self.pairs.selected()
    }

    /// Over what it goes where to send.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        Some(self.candidates.at(self.selected()?.source)?.protocol)
    }

    /// Did this peer pass a check from that address to that one of ours? Anything else from an address that did
    /// not is to be dropped, so that nobody makes us answer an address that is not his.
    pub(crate) fn knows(&self, source: SocketAddr, destination: SocketAddr) -> bool {
        self.pairs.contains(Path { source: destination, destination: source })
    }

    /// Is it a check by this peer? Changes nothing.
    #[cfg(test)]
    pub(crate) fn accepts(&self, data: &[u8]) -> bool {
        Message::parse(data).is_ok_and(|message| self.authenticate(&message).is_ok())
    }

    /// Was there an authenticated check within [`SILENCE_MAX`]?
    #[cfg(test)]
    pub(crate) fn is_heard(&self, now: Instant) -> bool {
        match self.presence {
            Presence::Heard(at) => now.saturating_duration_since(at) < SILENCE_MAX,
            Presence::Waiting | Presence::Lost => false,
        }
    }

    /// When the latest authenticated check came, if the peer is not lost.
    pub(crate) fn heard_at(&self) -> Option<Instant> {
        match self.presence {
            Presence::Heard(at) => Some(at),
            Presence::Waiting | Presence::Lost => None,
        }
    }

    /// What came in.
    pub(crate) fn counters(&self) -> Counters {
        Counters { pairs_dropped: self.pairs.dropped(), ..self.counters }
    }

    /// When [`Self::handle_timeout`] is due. `None`: nothing is waited for.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let silence = self.heard_at()? + SILENCE_MAX;
        Some(self.pairs.selected_until().map_or(silence, |until| until.min(silence)))
    }

    /// Tells the time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<IceEvent> {
        let heard_at = self.heard_at()?;
        if now.saturating_duration_since(heard_at) >= SILENCE_MAX {
            self.presence = Presence::Lost;
            self.pairs.clear();
            return Some(IceEvent::Disconnected);
        }
        self.pairs.expire(now).then_some(IceEvent::PathChanged)
    }

    /// Takes one STUN datagram from `source`, that came in on `destination`, and answers it.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
        out: &mut Egress,
    ) -> Result<IceEvent, Refused> {
        let path = Path { source: destination, destination: source };
        let message = Message::parse(data).map_err(|malformed| {
            self.counters.not_authenticated += 1;
            Refused::from(malformed)
        })?;
        let which = match self.authenticate(&message) {
            Ok(which) => which,
            Err(refused) => {
                self.counters.not_authenticated += 1;
                self.turn_away(now, &message, refused, path, out);
                return Err(refused);
            }
        };
        let priority = match self.grantable(&message, path) {
            Ok(priority) => priority,
            Err((refused, code)) => {
                self.counters.refused += 1;
                let key = &self.session_of(which).key;
                refuse(&message, code, Some(key), path, out);
                return Err(refused);
            }
        };
        self.grant(&message, which, path, out);
        Ok(self.on_check(now, &message, which, path, priority))
    }

    /// Whose check is it? Anything that comes back wrong is by nobody we know.
    fn authenticate(&self, message: &Message<'_>) -> Result<Which, Refused> {
        if !message.is_binding_request() {
            return Err(Refused::NotARequest);
        }
        if !message.has_good_fingerprint() {
            return Err(Refused::Fingerprint);
        }
        let username = message.username.filter(|_| message.has_integrity());
        let (ours, theirs) = split(username.ok_or(Refused::NoCredentials)?);
        let is_ours = |session: &Session| session.local.ufrag.as_bytes() == ours;
        let which = if self.next.as_ref().is_some_and(is_ours) {
            Which::Next
        } else if is_ours(&self.current) {
            Which::Current
        } else {
            return Err(Refused::UserName);
        };
        let session = self.session_of(which);
        if !message.verify(&session.key) {
            return Err(Refused::Integrity);
        }
        // Before the peer's description is known its fragment may be any: it has our password, so it has read
        // ours (RFC 8445 section 7.3.1.4).
        let expected = |remote: &Credentials| theirs == Some(remote.ufrag.as_bytes());
        if !session.remote.as_ref().is_none_or(expected) {
            return Err(Refused::PeerName);
        }
        Ok(which)
    }

    /// May an authenticated check be granted? Its priority if so.
    fn grantable(&self, message: &Message<'_>, path: Path) -> Result<u32, (Refused, ErrorCode)> {
        if !message.unknown.listed().is_empty() {
            return Err((Refused::UnknownAttribute, ErrorCode::UnknownAttribute));
        }
        // A lite agent never changes its role, whatever the tie-breakers say (RFC 8445 section 6.1.1).
        if message.controlled.is_some() {
            return Err((Refused::RoleConflict, ErrorCode::RoleConflict));
        }
        // Consent checks go without on a known pair (RFC 7675 does not ask for it).
        let priority = message.priority.or_else(|| self.pairs.priority(path));
        priority.ok_or((Refused::NoPriority, ErrorCode::BadRequest))
    }

    /// Answers someone who did not prove to be the peer, or not.
    ///
    /// RFC 8489 (section 9.1.3) wants an error for a request that could have been meant for us. It gets one if
    /// there were not too many yet, because its source address may be someone else's. Silence for all others: a
    /// message without a right fingerprint is not STUN (section 6.3), and one that is signed with our password but
    /// names a peer that we do not know yet comes from a peer whose description is on its way. It would give up the
    /// pair on an error (RFC 8445 section 7.2.5.2.4) and asks again on silence.
    fn turn_away(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        refused: Refused,
        path: Path,
        out: &mut Egress,
    ) {
        let code = match refused {
            Refused::NoCredentials => ErrorCode::BadRequest,
            Refused::UserName | Refused::Integrity => ErrorCode::Unauthorized,
            _ => return,
        };
        if self.allowance.take(now) {
            refuse(message, code, None, path, out);
        } else {
            self.counters.passed_over += 1;
        }
    }

    fn grant(&mut self, message: &Message<'_>, which: Which, path: Path, out: &mut Egress) {
        let key = &self.session_of(which).key;
        let len = stun::success_len(path.destination);
        out.push_with(path, len, |place| {
            stun::write_success(place, &message.transaction, path.destination, key)
        });
        self.counters.granted += 1;
    }

    /// Notes a granted check.
    fn on_check(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        which: Which,
        path: Path,
        priority: u32,
    ) -> IceEvent {
        if which == Which::Next
            && let Some(next) = self.next.take()
        {
            self.current = next;
            self.session = self.session.wrapping_add(1);
        }
        let (_, theirs) = split(message.username.unwrap_or_default());
        let check = Check {
            path,
            priority,
            // Only an address that we did not announce has none.
            ours: self.candidates.at(path.source).map_or(0, |ours| ours.priority),
            nominates: message.use_candidate,
            session: self.session,
            remote_tag: tag_of(theirs.unwrap_or_default()),
        };
        let changed = self.pairs.on_check(now, check);
        let was_heard = matches!(self.presence, Presence::Heard(_));
        self.presence = Presence::Heard(now);
        match (was_heard, changed) {
            (false, _) => IceEvent::Connected,
            (true, true) => IceEvent::PathChanged,
            (true, false) => IceEvent::Unchanged,
        }
    }

    fn session_of(&self, which: Which) -> &Session {
        match which {
            Which::Current => &self.current,
            Which::Next => self.next.as_ref().unwrap_or(&self.current),
        }
    }
}

/// `LFRAG:RFRAG` as seen from here.
fn split(username: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = username.splitn(2, |byte| *byte == b':');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Tells fragments of peers apart. Not against an attacker: who gets here knows our password.
fn tag_of(fragment: &[u8]) -> u32 {
    stun::checksum(fragment)
}

/// An error, unless it would be longer than the request: nobody gets more out of us than he puts in.
fn refuse(
    message: &Message<'_>,
    code: ErrorCode,
    key: Option<&hmac::Key>,
    path: Path,
    out: &mut Egress,
) {
    let unknown = match code {
        ErrorCode::UnknownAttribute => message.unknown.listed(),
        _ => &[],
    };
    let len = stun::error_len(unknown, key.is_some());
    if len > message.len() {
        return;
    }
    out.push_with(path, len, |place| {
        stun::write_error(place, &message.transaction, code, unknown, key)
    });
}
