//! The table of who may make which call, and what the standing must allow for it.

use fermata_billing::effect::OperationClass;

/// Who may make a call. Operators may make all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Only operators.
    Operators,
    /// Whoever asks, also without a credential: the call looks at what it is given itself.
    Open,
    /// Every token and session, also those that may only look: what is changed is one's own sign-in.
    Own,
    /// Every token and session; the call itself shows each role its own.
    Everybody,
    /// Also the account's customer and partner, if the account's standing allows the class.
    Account(OperationClass),
    /// Also customer and partner of the application's account, if the application's standing allows the class.
    App(OperationClass),
}

/// (method, path, who) of every call; a test compares with the OpenAPI document.
#[rustfmt::skip]
pub const GATES: &[(&str, &str, Gate)] = {
    use Gate::{Account, App, Everybody, Open, Operators, Own};
    use OperationClass::{Api, Billing, BuyPackage, Dismiss, EnableApp};
    &[
        ("POST",   "/accounts", Operators),
        ("GET",    "/accounts", Everybody),
        ("GET",    "/accounts/{account}", Account(Billing)),
        ("PATCH",  "/accounts/{account}", Account(Billing)),
        ("GET",    "/accounts/{account}/standing", Account(Billing)),
        ("POST",   "/accounts/{account}/apps", Account(Api)),
        ("GET",    "/accounts/{account}/apps", Account(Billing)),
        ("POST",   "/accounts/{account}/secrets", Account(Api)),
        ("GET",    "/accounts/{account}/secrets", Account(Api)),
        ("DELETE", "/accounts/{account}/secrets/{secret}", Account(Api)),
        ("POST",   "/accounts/{account}/holds", Account(Billing)),
        ("POST",   "/accounts/{account}/holds/{hold}/approve", Operators),
        ("DELETE", "/accounts/{account}/holds/{hold}", Account(Billing)),
        ("POST",   "/accounts/{account}/tickets", Account(Billing)),
        ("POST",   "/accounts/{account}/tickets/{ticket}/confirm", Account(Billing)),
        ("POST",   "/accounts/{account}/tickets/{ticket}/cancel", Account(Billing)),
        ("POST",   "/accounts/{account}/clock", Account(Billing)),
        ("POST",   "/accounts/{account}/payments", Operators),
        ("GET",    "/accounts/{account}/payments", Account(Billing)),
        ("POST",   "/accounts/{account}/payments/{ref}/reverse", Operators),
        ("GET",    "/accounts/{account}/balance", Account(Billing)),
        ("POST",   "/accounts/{account}/packages", Account(BuyPackage)),
        ("GET",    "/accounts/{account}/packages", Account(Billing)),
        ("POST",   "/accounts/{account}/packages/{package}/refund", Account(Billing)),
        ("POST",   "/accounts/{account}/postpaid", Account(Billing)),
        ("POST",   "/accounts/{account}/vouchers", Operators),
        ("POST",   "/accounts/{account}/credit-notes", Operators),
        ("POST",   "/accounts/{account}/adjustments", Operators),
        ("GET",    "/accounts/{account}/bills", Account(Billing)),
        ("GET",    "/accounts/{account}/bills/{bill}", Account(Billing)),
        ("GET",    "/accounts/{account}/ledger", Account(Billing)),
        ("GET",    "/accounts/{account}/notices", Account(Billing)),
        ("GET",    "/accounts/{account}/audit", Account(Billing)),
        ("POST",   "/accounts/{account}/usage", Account(Billing)),
        ("GET",    "/accounts/{account}/usage", Account(Billing)),
        ("GET",    "/accounts/{account}/receipts", Account(Billing)),
        ("GET",    "/apps/{sdk_app_id}", App(Api)),
        ("PATCH",  "/apps/{sdk_app_id}", App(Api)),
        ("POST",   "/apps/{sdk_app_id}/disable", App(EnableApp)),
        ("POST",   "/apps/{sdk_app_id}/enable", App(EnableApp)),
        ("POST",   "/apps/{sdk_app_id}/keys", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/keys", App(Api)),
        ("DELETE", "/apps/{sdk_app_id}/keys/{key}", App(Api)),
        ("POST",   "/apps/{sdk_app_id}/usersig-key", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/callbacks", App(Api)),
        ("PUT",    "/apps/{sdk_app_id}/callbacks", App(Api)),
        ("POST",   "/apps/{sdk_app_id}/callbacks/test", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/deliveries", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/deliveries/{delivery}", App(Api)),
        ("POST",   "/apps/{sdk_app_id}/deliveries/{delivery}/replay", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/rooms", App(Dismiss)),
        ("DELETE", "/apps/{sdk_app_id}/rooms/{room}", App(Dismiss)),
        ("GET",    "/apps/{sdk_app_id}/rooms/{room}/participants", App(Dismiss)),
        ("DELETE", "/apps/{sdk_app_id}/rooms/{room}/participants/{identity}", App(Dismiss)),
        ("GET",    "/apps/{sdk_app_id}/usage", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/usage/rooms", App(Api)),
        ("GET",    "/apps/{sdk_app_id}/stays", App(Api)),
        ("POST",   "/tokens", Operators),
        ("GET",    "/tokens", Operators),
        ("DELETE", "/tokens/{token}", Operators),
        ("POST",   "/console-session", Open),
        ("GET",    "/console-session", Own),
        ("DELETE", "/console-session", Own),
        ("POST",   "/console-session/password", Own),
        ("POST",   "/console-session/totp", Own),
        ("PUT",    "/console-session/totp", Own),
        ("DELETE", "/console-session/totp", Own),
        ("POST",   "/console-users", Operators),
        ("GET",    "/console-users", Operators),
        ("PATCH",  "/console-users/{user}", Operators),
        ("DELETE", "/console-users/{user}", Operators),
        ("GET",    "/notice-subscriptions", Everybody),
        ("POST",   "/notice-subscriptions", Everybody),
        ("DELETE", "/notice-subscriptions/{subscription}", Everybody),
        ("GET",    "/catalog", Everybody),
        ("GET",    "/catalog/{version}", Everybody),
        ("POST",   "/catalog", Operators),
        ("GET",    "/partners", Operators),
        ("POST",   "/partners", Operators),
        ("GET",    "/partners/{partner}", Operators),
        ("GET",    "/agreements", Operators),
        ("POST",   "/agreements", Operators),
        ("GET",    "/agreements/{partner}", Operators),
        ("GET",    "/agreements/{partner}/diff", Operators),
        ("GET",    "/reclaim", Operators),
        ("PUT",    "/reclaim", Operators),
        ("POST",   "/backup", Operators),
    ]
};

/// Who may make a call; only operators where the table says nothing.
pub fn gate(method: &str, path: &str) -> Gate {
    let row = GATES.iter().find(|(of, template, _)| *of == method && *template == path);
    row.map_or(Gate::Operators, |(.., gate)| *gate)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_of_the_document_has_one_row_and_every_row_its_call() {
        let document: serde_json::Value = serde_json::from_str(&crate::v1::openapi_json()).unwrap();
        let mut calls = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let path = path.strip_prefix("/api/v1").unwrap();
            for method in item.as_object().unwrap().keys() {
                calls.insert((method.to_uppercase(), path.to_owned()));
            }
        }
        let rows: BTreeSet<_> =
            GATES.iter().map(|(of, path, _)| ((*of).to_owned(), (*path).to_owned())).collect();
        assert_eq!(rows.len(), GATES.len(), "a row is there twice");
        assert_eq!(calls.difference(&rows).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
        assert_eq!(rows.difference(&calls).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    }

    #[test]
    fn gates_name_what_their_paths_have() {
        for (method, path, gate) in GATES {
            let fine = match gate {
                Gate::Account(_) => path.starts_with("/accounts/{account}"),
                Gate::App(_) => path.starts_with("/apps/{sdk_app_id}"),
                // Nobody's own sign-in is somebody else's to give away.
                Gate::Open | Gate::Own => path.starts_with("/console-session"),
                Gate::Everybody => !path.contains("{account}") && !path.contains("{sdk_app_id}"),
                Gate::Operators => true,
            };
            assert!(fine, "{method} {path} {gate:?}");
        }
        assert_eq!(gate("GET", "/nothing"), Gate::Operators, "what is not in the table is closed");
    }
}
