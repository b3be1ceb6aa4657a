//! The one map from what the books refuse to errors of the API.
//!
//! What it is not: it decides nothing; which standing allows what is decided in `fermata-billing`.

use fermata_billing::command::Refusal;
use fermata_billing::money::{Currency, Money};

use super::error::ApiError;
use super::money;
use super::standing::ReasonView;

/// The error for a refusal. `currency` is the account's, where it is known: amounts are shown with its digits.
pub fn told(refusal: Refusal, currency: Option<Currency>) -> ApiError {
    let message = sentence(&refusal.to_string());
    match refusal {
        Refusal::Suspended { holds, .. } => {
            ApiError::Suspended { message, reasons: holds.iter().map(ReasonView::from).collect() }
        }
        Refusal::InsufficientBalance { available, price } => {
            let text = |amount: Money| money::text(amount, currency.unwrap_or(Currency::USD));
            ApiError::InsufficientBalance {
                message: format!(
                    "The balance of {} does not cover the price of {}; recharge first.",
                    text(available),
                    text(price)
                ),
                available: text(available),
                price: text(price),
            }
        }
        Refusal::Final => ApiError::Final(message),
        Refusal::SamePerson => ApiError::SamePerson(message),
        Refusal::NotYours { .. } => ApiError::Forbidden(message),
        Refusal::RefReused { .. } => ApiError::RefReused(message),
        Refusal::Unknown { what, id } => ApiError::NotFound(format!("{what} {id} in this account")),
        Refusal::LimitReached { .. } => ApiError::Limit(message),
        Refusal::NotSandbox => ApiError::NotSandbox(message),
        Refusal::Clock { .. } => ApiError::Clock(message),
        Refusal::AlreadyOpen => ApiError::Exists(message),
        Refusal::NotOpen | Refusal::Conflict(_) | Refusal::DayOpen { .. } => {
            ApiError::Conflict(message)
        }
        // These begin with the name of a field or a value, which stays as it was written.
        Refusal::Invalid { .. }
        | Refusal::Money(_)
        | Refusal::Calendar(_)
        | Refusal::Catalog(_) => ApiError::Invalid(refusal.to_string()),
        inside => {
            tracing::error!(refusal = %inside, "The books of an account could not be worked on.");
            ApiError::Internal
        }
    }
}

/// With a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let stop = if text.ends_with('.') { "" } else { "." };
    format!(
        "{}{}{stop}",
        first.map(|upper| upper.to_string()).unwrap_or_default(),
        letters.as_str()
    )
}

#[cfg(test)]
mod tests {
    use fermata_billing::effect::OperationClass;
    use fermata_billing::hold::{HoldKind, Scope};
    use fermata_billing::id::HoldId;
    use fermata_billing::state::Hold;
    use fermata_types::{AccountId, SdkAppId};
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn hold(kind: HoldKind, scope: Scope) -> Hold {
        Hold {
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
        }
    }

    #[test]
    fn refusals_map() {
        let (now, most) = (Timestamp::UNIX_EPOCH, SignedDuration::from_hours(24));
        let money = Money::from_micros;
        let text = String::new;
        let class = OperationClass::Api;
        let rows = [
            (Refusal::NotOpen, 409, "conflict"),
            (Refusal::AlreadyOpen, 409, "exists"),
            (Refusal::Unknown { what: "hold", id: text() }, 404, "not_found"),
            (Refusal::Invalid { field: "x", problem: text() }, 400, "invalid"),
            (Refusal::Money(fermata_billing::money::MoneyError::Overflow), 400, "invalid"),
            (
                Refusal::Suspended { class, holds: Vec::new(), cleared: true },
                403,
                "ServiceSuspended",
            ),
            (
                Refusal::InsufficientBalance { available: money(0), price: money(1) },
                402,
                "InsufficientBalance",
            ),
            (Refusal::RefReused { provider_ref: text() }, 409, "ref_reused"),
            (Refusal::Final, 409, "Final"),
            (Refusal::SamePerson, 403, "same_person"),
            (Refusal::NotYours { who: "an operator" }, 403, "forbidden"),
            (Refusal::Conflict(text()), 409, "conflict"),
            (Refusal::NotSandbox, 409, "not_sandbox"),
            (Refusal::Clock { now, to: now, most }, 400, "clock"),
            (Refusal::LimitReached { what: "holds", max: 1 }, 409, "limit"),
            (Refusal::Reads(text()), 500, "internal"),
            (Refusal::Corrupt(text()), 500, "internal"),
        ];
        for (refusal, status, code) in rows {
            let error = told(refusal.clone(), None);
            assert_eq!((error.status().as_u16(), error.code()), (status, code), "{refusal}");
        }
    }

    #[test]
    fn i14_a_suspension_names_every_hold_with_its_remedy() {
        let holds = vec![
            hold(HoldKind::Arrears, Scope::Account),
            hold(HoldKind::Manual, Scope::App(SdkAppId(7))),
        ];
        let refusal = Refusal::Suspended { class: OperationClass::Api, holds, cleared: false };
        let ApiError::Suspended { message, reasons } = told(refusal, None) else {
            panic!("suspended")
        };
        assert!(
            message.starts_with("Suspended (arrears, manual): api is not allowed"),
            "{message}"
        );
        let json = serde_json::to_value(&reasons).unwrap();
        assert_eq!((&json[0]["kind"], &json[0]["scope"]), (&"arrears".into(), &"account".into()));
        assert_eq!((&json[1]["kind"], &json[1]["scope"]), (&"manual".into(), &7.into()));
        for reason in json.as_array().unwrap() {
            assert!(reason["remedy"].as_str().is_some_and(|text| text.ends_with('.')), "{reason}");
            assert!(reason["clauses"].as_array().is_some_and(|all| !all.is_empty()), "{reason}");
            assert_eq!(reason["since"], "1970-01-01T00:00:00Z");
        }
    }

    #[test]
    fn a5_amounts_have_the_digits_of_the_currency() {
        let refusal = Refusal::InsufficientBalance {
            available: Money::from_micros(1_000_000),
            price: Money::from_micros(49_000_000),
        };
        let ApiError::InsufficientBalance { available, price, .. } =
            told(refusal, Some(Currency::JPY))
        else {
            panic!("insufficient")
        };
        assert_eq!((available.as_str(), price.as_str()), ("1", "49"));
    }
}
