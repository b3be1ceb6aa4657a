//! Why a call of the vendor's server API was not carried out: the vendor's code and a sentence.
//!
//! What it is not: HTTP. Every answer of this API has status 200.

use fermata_auth::tc3::Tc3Error;
use fermata_billing::command::Refusal;
use fermata_store::StoreError;
use fermata_trtc::{ApiError as Worded, Code};

use crate::monitoring::answers::AnswerError;
use crate::v1::error::ApiError;
use crate::v1::standing::{ReasonView, ScopeView};

/// Why a call was not carried out; nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(super) struct Fault(pub Worded);

impl Fault {
    /// With a code of the vendor's and a sentence that names what was wrong and what is allowed.
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self(Worded::new(Code::other(code), message))
    }

    /// The code.
    pub(super) fn code(&self) -> &'static str {
        self.0.code.as_str()
    }

    /// Something failed inside; the log has more.
    pub(super) fn internal() -> Self {
        Self::new("InternalError", "The server failed inside; its log says why.")
    }

    /// What a standing does not allow: all holds in force with their remedies, the earliest first.
    pub(super) fn suspended(refusal: &Refusal) -> Self {
        let Refusal::Suspended { class, holds, cleared } = refusal else {
            let message = format!("The account has no open books: {refusal}.");
            return Self::new("FailedOperation.ServiceSuspended", message);
        };
        let mut message =
            format!("The service is suspended, and {} is not allowed now.", class.code());
        if *cleared {
            message
                .push_str(" The account was cleared, which cannot be taken back; open a new one.");
        }
        for hold in holds {
            let reason = ReasonView::from(hold);
            let scope = match reason.scope {
                ScopeView::Account(_) => "the account".to_owned(),
                ScopeView::App(app) => format!("application {app}"),
            };
            let said =
                format!(" [{}] of {scope} since {}: {}", reason.kind, reason.since, reason.remedy);
            message.push_str(&said);
        }
        Self::new("FailedOperation.ServiceSuspended", message)
    }
}

impl From<Worded> for Fault {
    fn from(error: Worded) -> Self {
        Self(error)
    }
}

impl From<Tc3Error> for Fault {
    fn from(error: Tc3Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<AnswerError> for Fault {
    fn from(error: AnswerError) -> Self {
        if let AnswerError::Store(StoreError::Busy { .. } | StoreError::Closed) = error {
            return Self::new(
                "ServiceUnavailable",
                "The server cannot do this now; try again later.",
            );
        }
        let code = error.code();
        match error {
            AnswerError::Parameter { message, .. } => Self::new(code, message),
            AnswerError::Store(error) => {
                tracing::error!(%error, "The monitoring database failed.");
                Self::new(code, "The server failed inside; its log says why.")
            }
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        let message = error.to_string();
        match error {
            ApiError::Unavailable | ApiError::NotWritable => {
                Self::new("ServiceUnavailable", message)
            }
            ApiError::Invalid(_) => Self::new("InvalidParameterValue", message),
            ApiError::NotFound(_) => Self::new("ResourceNotFound", message),
            ApiError::Limit(_) => Self::new("LimitExceeded", message),
            ApiError::Internal => Self::internal(),
            _ => Self::new("FailedOperation", message),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use fermata_billing::effect::OperationClass;
    use fermata_billing::hold::{HoldKind, Scope};
    use fermata_billing::id::HoldId;
    use fermata_billing::state::Hold;
    use fermata_types::{AccountId, SdkAppId};
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn i14_a_suspension_lists_every_hold_with_its_remedy() {
        let hold = |kind, scope| Hold {
            id: HoldId::nth(&AccountId::from_text("AC_1"), 1),
            kind,
            scope,
            cause: None,
            since: Timestamp::UNIX_EPOCH,
            applied_at: Timestamp::UNIX_EPOCH,
            reason: String::new(),
            evidence: String::new(),
            raised_by: "system".to_owned(),
            proposed: false,
        };
        let holds = vec![
            hold(HoldKind::Arrears, Scope::Account),
            hold(HoldKind::Manual, Scope::App(SdkAppId(7))),
        ];
        let fault = Fault::suspended(&Refusal::Suspended {
            class: OperationClass::Api,
            holds,
            cleared: false,
        });
        assert_eq!(fault.code(), "FailedOperation.ServiceSuspended");
        for part in
            ["[arrears] of the account since 1970-01-01T00:00:00Z: ", "[manual] of application 7"]
        {
            assert!(fault.0.message.contains(part), "{fault}");
        }
        for kind in [HoldKind::Arrears, HoldKind::Manual] {
            assert!(fault.0.message.contains(kind.rule().remedy), "{fault}");
        }
    }
}
