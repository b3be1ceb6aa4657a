//! Why somebody may not enter. The one table of reasons: codes, statuses and sentences.

/// One reason to refuse an entry. The table below is the only place that says what each one means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// No token came with the request.
    TokenMissing,
    /// The token cannot be read, or its signature is wrong.
    TokenInvalid,
    /// The token's time is over or has not begun.
    TokenExpired,
    /// The API key names no application here.
    KeyUnknown,
    /// The token does not grant joining a room.
    JoinNotGranted,
    /// The token is for another room than the one asked for.
    RoomNotGranted,
    /// `UserSig` or `PrivateMapKey` does not verify.
    UserSigInvalid,
    /// `UserSig` or `PrivateMapKey` is expired.
    UserSigExpired,
    /// The application was disabled by hand.
    AppDisabled,
    /// The account owes money for longer than the grace (policy S10).
    Arrears,
    /// Nothing pays for the application's minutes (policy S17).
    Unfunded,
    /// The account is closed for good because of a violation (policy S19).
    Violation,
    /// The account's partner froze it (policy T16).
    PartnerFreeze,
    /// The operator holds the account or the application.
    Admin,
    /// The account is being closed at its owner's wish (policy S23).
    Closure,
    /// The account's data is being deleted or was (policy S22).
    Cleared,
    /// No identity in the token.
    IdentityMissing,
    /// The identity is longer than allowed.
    IdentityTooLong,
    /// The room's name is missing, too long or malformed.
    RoomNameInvalid,
    /// Name, metadata or attributes of the participant are larger than allowed.
    AttributesTooLarge,
    /// A request parameter is malformed.
    RequestInvalid,
    /// The room does not exist and this token may not create it.
    RoomMissing,
    /// The room has as many users as it may have.
    RoomFull,
    /// The identity was removed from this room and its token dates from before that.
    Revoked,
    /// This node has as many rooms or participants as it may have.
    NodeFull,
    /// The server is shutting down or cannot write usage.
    Unavailable,
}

impl Reason {
    /// Every reason, in table order; for documentation and tests.
    pub const ALL: &'static [Self] = &[
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::KeyUnknown,
        Self::JoinNotGranted,
        Self::RoomNotGranted,
        Self::UserSigInvalid,
        Self::UserSigExpired,
        Self::AppDisabled,
        Self::Arrears,
        Self::Unfunded,
        Self::Violation,
        Self::PartnerFreeze,
        Self::Admin,
        Self::Closure,
        Self::Cleared,
        Self::IdentityMissing,
        Self::IdentityTooLong,
        Self::RoomNameInvalid,
        Self::AttributesTooLarge,
        Self::RequestInvalid,
        Self::RoomMissing,
        Self::RoomFull,
        Self::Revoked,
        Self::NodeFull,
        Self::Unavailable,
    ];

    /// (stable code, HTTP status, sentence with the remedy).
    fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::TokenMissing => (
                "token_missing",
                401,
                "No token was sent; send it as bearer token or in access_token.",
            ),
            Self::TokenInvalid => (
                "token_invalid",
                401,
                "The token is malformed or its signature is wrong; sign it with the secret of its API key.",
            ),
            Self::TokenExpired => {
                ("token_expired", 401, "The token is expired or not yet valid; get a new one.")
            }
            Self::KeyUnknown => {
                ("key_unknown", 401, "The API key of the token belongs to no application here.")
            }
            Self::JoinNotGranted => (
                "join_not_granted",
                401,
                "The token does not allow joining a room; it needs the roomJoin grant.",
            ),
            Self::RoomNotGranted => {
                ("room_not_granted", 401, "The token was made for another room.")
            }
            Self::UserSigInvalid => (
                "usersig_invalid",
                401,
                "The UserSig or PrivateMapKey does not verify for this application and user.",
            ),
            Self::UserSigExpired => {
                ("usersig_expired", 401, "The UserSig or PrivateMapKey is expired; get a new one.")
            }
            Self::AppDisabled => (
                "app_disabled",
                403,
                "The application was disabled; its owner can enable it again.",
            ),
            Self::Arrears => (
                "suspended_arrears",
                403,
                "The account is suspended because it owes money; it is back as soon as its owner recharges.",
            ),
            Self::Unfunded => (
                "suspended_unfunded",
                403,
                "The minutes are used up; the owner can buy a package or enable postpaid.",
            ),
            Self::Violation => (
                "suspended_violation",
                403,
                "The account is closed for a violation, and nothing restores it; its owner can write to the operator.",
            ),
            Self::PartnerFreeze => (
                "suspended_partner_freeze",
                403,
                "The account is frozen by the partner who serves it; only that partner can lift it.",
            ),
            Self::Admin => (
                "suspended_admin",
                403,
                "The operator has put the service on hold; its owner can ask the operator when that ends.",
            ),
            Self::Closure => (
                "suspended_closure",
                403,
                "The account is being closed at its owner's wish; its owner can still cancel that with the operator.",
            ),
            Self::Cleared => (
                "account_cleared",
                403,
                "The account's data was cleared, and nothing brings it back; service needs a new account.",
            ),
            Self::IdentityMissing => ("identity_missing", 400, "The token names no identity."),
            Self::IdentityTooLong => (
                "identity_too_long",
                400,
                "The identity is longer than 256 bytes (32 through UserSig).",
            ),
            Self::RoomNameInvalid => (
                "room_name_invalid",
                400,
                "The room name is missing, longer than 256 bytes (64 through UserSig) or malformed.",
            ),
            Self::AttributesTooLarge => (
                "attributes_too_large",
                400,
                "Name, metadata or attributes are larger than allowed.",
            ),
            Self::RequestInvalid => {
                ("request_invalid", 400, "A parameter of the request is malformed.")
            }
            Self::RoomMissing => {
                ("room_missing", 404, "There is no such room, and this token may not create it.")
            }
            Self::RoomFull => ("room_full", 403, "The room has as many users as it may have."),
            Self::Revoked => (
                "revoked",
                403,
                "This user was removed from the room; a token made after that is needed.",
            ),
            Self::NodeFull => (
                "node_full",
                503,
                "The server has as many participants as it may have; try again later.",
            ),
            Self::Unavailable => {
                ("unavailable", 503, "The server cannot take entries now; try again later.")
            }
        }
    }

    /// Stable, machine-readable code.
    pub fn code(self) -> &'static str {
        self.row().0
    }

    /// HTTP status, on WebSocket upgrades and validate endpoints alike.
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// What happened and what helps, one sentence.
    pub fn sentence(self) -> &'static str {
        self.row().2
    }
}

/// A refused entry: one reason or more (the standing policy may have several), and what exactly was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Never empty; the first decides the status.
    reasons: Vec<Reason>,
    /// Extra detail for the developer: the value that was wrong. May be empty. Never a secret.
    detail: String,
}

impl Refusal {
    /// A refusal for one reason.
    pub fn new(reason: Reason) -> Self {
        Self { reasons: vec![reason], detail: String::new() }
    }

    /// The same, saying which value was wrong and what is allowed.
    pub fn with_detail(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reasons: vec![reason], detail: detail.into() }
    }

    /// A refusal for several reasons, the deciding one first; `None` if there is none.
    pub fn from_reasons(reasons: Vec<Reason>) -> Option<Self> {
        (!reasons.is_empty()).then_some(Self { reasons, detail: String::new() })
    }

    /// All reasons, the deciding one first.
    pub fn reasons(&self) -> &[Reason] {
        &self.reasons
    }

    /// The deciding reason.
    pub fn reason(&self) -> Reason {
        self.reasons.first().copied().unwrap_or(Reason::Unavailable)
    }

    /// HTTP status of the deciding reason.
    pub fn status(&self) -> u16 {
        self.reason().status()
    }

    /// Developer's detail, may be empty.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

/// `code: sentence` for every reason, as SDKs show it raw.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, reason) in self.reasons.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}: {}", reason.code(), reason.sentence())?;
        }
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_the_documented_ones() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!([400, 401, 403, 404, 503].contains(&reason.status()), "{reason:?}");
            assert!(reason.sentence().ends_with('.'), "{reason:?}");
            // JavaScript clients read this text as "no such room on this server" and give up a fallback.
            assert!(!reason.sentence().contains("requested room does not exist"));
        }
    }

    #[test]
    fn text_is_code_and_sentence() {
        let refusal = Refusal::with_detail(Reason::IdentityTooLong, "it has 300");
        assert!(refusal.to_string().starts_with("identity_too_long: The identity"));
        assert!(refusal.to_string().ends_with("(it has 300)"));
    }
}
