//! Users of the console and their sessions, in the model.

use fermata_types::{AccountId, ConsoleUserId};
use jiff::Timestamp;

use super::Outcome;
use super::state::State;
use crate::limits::CONSOLE_SESSIONS_PER_USER_MAX;
use crate::rules::{self, exists, no_console_user};
use crate::{ConsoleSession, ConsoleUser, ConsoleUserChange, TokenRole};

impl State {
    pub(super) fn create_console_user(&mut self, new: ConsoleUser) -> Outcome<ConsoleUser> {
        if let Some(old) = self.console_users.get(&new.id) {
            let same = rules::same_console_user(old, &new);
            return if same { Ok(old.clone()) } else { Err(exists("console user", &new.id)) };
        }
        if self.console_user_named(&new.name).is_some() {
            return Err(exists("console user", &new.name));
        }
        rules::room_for_console_user(self.console_users.len())?;
        self.console_users.insert(new.id.clone(), new.clone());
        Ok(new)
    }

    pub(super) fn console_user(&self, id: &ConsoleUserId) -> Outcome<ConsoleUser> {
        self.console_users.get(id).cloned().ok_or_else(|| no_console_user(id))
    }

    pub(super) fn console_user_named(&self, name: &str) -> Option<ConsoleUser> {
        let lower = rules::name_lower(name);
        self.console_users.values().find(|user| rules::name_lower(&user.name) == lower).cloned()
    }

    pub(super) fn change_console_user(
        &mut self,
        id: &ConsoleUserId,
        change: &ConsoleUserChange,
    ) -> Outcome<ConsoleUser> {
        let new = rules::changed_console_user(&self.console_user(id)?, change)?;
        self.console_users.insert(id.clone(), new.clone());
        if rules::ends_console_sessions(change) {
            let kept = rules::kept_console_session(change);
            self.console_sessions
                .retain(|hash, session| session.user != *id || kept == Some(*hash));
        }
        Ok(new)
    }

    pub(super) fn remove_console_user(&mut self, id: &ConsoleUserId) -> Outcome<()> {
        self.console_users.remove(id).ok_or_else(|| no_console_user(id))?;
        self.console_sessions.retain(|_, session| session.user != *id);
        Ok(())
    }

    pub(super) fn create_console_session(
        &mut self,
        new: ConsoleSession,
    ) -> Outcome<ConsoleSession> {
        if let Some(old) = self.console_sessions.get(&new.hash) {
            let error = || exists("console session", &"with this token");
            return if *old == new { Ok(old.clone()) } else { Err(error()) };
        }
        self.console_user(&new.user)?;
        self.console_sessions.retain(|_, session| session.expires_at > new.created_at);
        let own = self.console_sessions.values().filter(|session| session.user == new.user);
        let mut own: Vec<_> = own.map(|session| (session.created_at, session.hash)).collect();
        own.sort_unstable();
        let too_many = (own.len() + 1).saturating_sub(CONSOLE_SESSIONS_PER_USER_MAX as usize);
        for (_, hash) in own.iter().take(too_many) {
            self.console_sessions.remove(hash);
        }
        self.console_sessions.insert(new.hash, new.clone());
        Ok(new)
    }

    pub(super) fn console_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Outcome<Option<(ConsoleSession, ConsoleUser)>> {
        let found = self.console_sessions.get(&hash).filter(|session| session.expires_at > now);
        let Some(session) = found else { return Ok(None) };
        Ok(Some((session.clone(), self.console_user(&session.user)?)))
    }

    pub(super) fn clear_console_users(&mut self, account: &AccountId) {
        let theirs = TokenRole::Customer { account: account.clone() };
        self.console_users.retain(|_, user| user.role != theirs);
        let left = &self.console_users;
        self.console_sessions.retain(|_, session| left.contains_key(&session.user));
    }
}
