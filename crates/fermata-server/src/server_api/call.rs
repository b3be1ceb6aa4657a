//! One call from its signature to its handler, a step at a time.

use std::sync::Arc;

use axum::extract::Request;
use fermata_store::{ApiSecret, SecretPolicy};
use fermata_trtc::action::{self, Action, Service};
use fermata_trtc::param::{self, Params};
use fermata_types::{AccountId, Now, SdkAppId};
use serde_json::{Map, Value};

use super::fault::Fault;
use super::request::{self, Incoming, Input, Signature};
use super::{About, billing, monitoring, rooms, usage};
use crate::server::Shared;

/// Fields of an answer, without `RequestId`; or why there is none.
pub(super) type Answer = Result<Map<String, Value>, Fault>;

/// A call that passed every step, for its handler.
#[derive(Debug)]
pub(super) struct Call {
    /// The server.
    pub(super) shared: Shared,
    /// What is called.
    pub(super) action: &'static Action,
    /// The secret pair it is called with.
    pub(super) secret: Arc<ApiSecret>,
    /// Its account.
    pub(super) account: AccountId,
    /// The application that is concerned, if one is.
    pub(super) app: Option<SdkAppId>,
    /// Parameters, read against the schema.
    pub(super) params: Params,
}

impl Call {
    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.params.opt_text(name).filter(|text| !text.is_empty())
    }

    /// An integer.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.params.opt_int(name)
    }

    /// The texts of a list; none if it is not there.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.params.texts(name).into_iter().map(str::to_owned).collect()
    }

    /// The application, where the action cannot do without one.
    pub(super) fn needed_app(&self) -> Result<SdkAppId, Fault> {
        self.app.ok_or_else(|| {
            Fault::new("MissingParameter.SdkAppId", "The parameter SdkAppId is missing.")
        })
    }
}

macro_rules! handlers {
    ($($name:literal => $($path:ident)::+;)*) => {
        /// Names of actions that have a handler; a test compares them with the table.
        #[cfg(test)]
        const HANDLED: &[&str] = &[$($name,)*];

        /// The handler's answer.
        async fn handle(call: &Call) -> Answer {
            match call.action.name {
                $($name => $($path)::+(call).await,)*
                other => {
                    tracing::error!(action = other, "A built action has no handler.");
                    Err(Fault::internal())
                }
            }
        }
    };
}

handlers! {
    "DismissRoom" => rooms::dismiss_room;
    "DismissRoomByStrRoomId" => rooms::dismiss_room_by_str;
    "RemoveUser" => rooms::remove_user;
    "RemoveUserByStrRoomId" => rooms::remove_user_by_str;
    "SetUserBlocked" => rooms::set_user_blocked;
    "SetUserBlockedByStrRoomId" => rooms::set_user_blocked_by_str;
    "DescribeTrtcUsage" => usage::trtc;
    "DescribeRecordingUsage" => usage::recording;
    "DescribeMixTranscodingUsage" => usage::mix;
    "DescribeRelayUsage" => usage::relay;
    "DescribeTrtcRoomUsage" => usage::rooms;
    "DescribeRoomInfo" => monitoring::room_info;
    "DescribeUserInfo" => monitoring::user_info;
    "DescribeCallDetailInfo" => monitoring::call_detail_info;
    "DescribeScaleInfo" => monitoring::scale_info;
    "DescribeUserEvent" => monitoring::user_event;
    "DescribeUnusualEvent" => monitoring::unusual_event;
    "DescribeTRTCRealTimeQualityData" => monitoring::real_time_quality;
    "DescribeTRTCRealTimeScaleData" => monitoring::real_time_scale;
    "DescribeTRTCMarketQualityData" => monitoring::market_quality;
    "DescribeTRTCMarketScaleData" => monitoring::market_scale;
    "DescribeAccountBalance" => billing::account_balance;
    "DescribeAccountWarning" => billing::account_warning;
    "DescribeBillList" => billing::bill_list;
    "DescribeBillDetail" => billing::bill_detail;
    "DescribeBillResourceSummary" => billing::bill_resource_summary;
    "DescribeBillSummary" => billing::bill_summary;
    "DescribeBillSummaryByProduct" => billing::summary_by_product;
    "DescribeBillSummaryByProject" => billing::summary_by_project;
    "DescribeBillSummaryByRegion" => billing::summary_by_region;
    "DescribeBillSummaryByPayMode" => billing::summary_by_pay_mode;
    "DescribeVoucherInfo" => billing::voucher_info;
}

/// All steps of a call.
pub(super) async fn carry_out(shared: &Shared, request: Request, about: &mut About) -> Answer {
    let incoming = request::read(shared, request, about).await?;
    let secret = authenticate(shared, &incoming.signature)?;
    let action = find(&incoming)?;
    about.action = action.name;
    if let Some(refusal) = action.refusal() {
        return Err(refusal.into());
    }
    may(&secret, action)?;
    shared.server_api.take(shared, &secret.account, action)?;
    let params = read(action, incoming.input)?;
    let app = concerned(shared, &secret, &params)?;
    standing(shared, &secret.account, app, action).await?;
    let account = secret.account.clone();
    let call = Call { shared: shared.clone(), action, secret, account, app, params };
    let answer = handle(&call).await;
    if action.mutates {
        audit(&call, &answer);
    }
    answer
}

/// Who calls: the secret pair in force whose signature it is.
fn authenticate(shared: &Shared, signature: &Signature) -> Result<Arc<ApiSecret>, Fault> {
    let Some(secret) = shared.directory.secret(signature.secret_id()) else {
        return Err(fermata_auth::tc3::Tc3Error::SecretIdNotFound.into());
    };
    let now = Now::read();
    signature.verify(&secret.secret_key, now)?;
    if let Signature::Legacy(presented) = signature {
        shared.server_api.remember(shared, presented, now)?;
    }
    Ok(secret)
}

/// What is called: the service, its version, the action.
fn find(incoming: &Incoming) -> Result<&'static Action, Fault> {
    let shown: String = incoming.version.chars().take(40).collect();
    let versions = || {
        let of = |service: &Service| format!("{} {}", service.code(), service.version());
        Service::ALL.iter().map(of).collect::<Vec<_>>().join(" and ")
    };
    // Some SDKs name no service but the first label of the host, which is any here.
    let label = incoming.host.split(['.', ':']).next();
    let service = match incoming.signature.service() {
        Some(name) if Service::from_code(name).is_some() || Some(name) != label => {
            Service::from_code(name).ok_or_else(|| {
                let name: String = name.chars().take(40).collect();
                Fault::new(
                    "NoSuchProduct",
                    format!("{name:?} is no service here; there are {}.", versions()),
                )
            })?
        }
        // Older signatures name none either; the versions of the two differ.
        _ => Service::from_version(&incoming.version).ok_or_else(|| {
            Fault::new(
                "NoSuchVersion",
                format!("Version {shown:?} is none; there are {}.", versions()),
            )
        })?,
    };
    if incoming.version != service.version() {
        let message =
            format!("{} has no version {shown:?}; it has {}.", service.code(), service.version());
        return Err(Fault::new("NoSuchVersion", message));
    }
    if incoming.action.is_empty() {
        return Err(Fault::new(
            "InvalidAction",
            "The request names no action; it takes a header X-TC-Action.",
        ));
    }
    Ok(action::find(service, &incoming.action)?)
}

/// Whether the secret pair may call the action at all.
fn may(secret: &ApiSecret, action: &Action) -> Result<(), Fault> {
    if action.mutates && secret.policy == SecretPolicy::ReadOnly {
        let message =
            format!("This secret pair is for reading only, and {} changes something.", action.name);
        return Err(Fault::new("AuthFailure.UnauthorizedOperation", message));
    }
    if action.service == Service::Billing && !secret.apps.is_empty() {
        let message = "This secret pair is for some applications only, and bills belong to the whole account.";
        return Err(Fault::new("AuthFailure.UnauthorizedOperation", message));
    }
    Ok(())
}

/// The parameters, read against the action's schema.
fn read(action: &'static Action, input: Input) -> Result<Params, Fault> {
    Ok(param::parse(action, input.into_value(action)?)?)
}

/// The application that is concerned, which must be the caller's. Unknown numbers are answered as foreign ones are,
/// so that nobody learns which exist.
fn concerned(
    shared: &Shared,
    secret: &ApiSecret,
    params: &Params,
) -> Result<Option<SdkAppId>, Fault> {
    let denied = |number: &str| {
        let number: String = number.chars().take(40).collect();
        let message = format!("{number} is no application that this secret pair may be used for.");
        Err(Fault::new("UnauthorizedOperation.SdkAppId", message))
    };
    let Some(number) = named_app(params)? else {
        if secret.apps.is_empty() {
            return Ok(None);
        }
        let message = "This secret pair is for some applications only; name one with SdkAppId.";
        return Err(Fault::new("UnauthorizedOperation.SdkAppId", message));
    };
    let app = SdkAppId(number);
    let own = shared.directory.app(app).is_some_and(|found| found.app.account == secret.account);
    if !own || !(secret.apps.is_empty() || secret.apps.contains(&app)) {
        return denied(&number.to_string());
    }
    Ok(Some(app))
}

/// The number of the application in the parameters: by itself, or at the beginning of `CommId`. Both must agree.
fn named_app(params: &Params) -> Result<Option<u32>, Fault> {
    let direct = params.opt_int("SdkAppId").or_else(|| params.opt_int("SdkAppid"));
    let direct = match direct.map(u32::try_from) {
        Some(Err(_) | Ok(0)) => {
            let message = format!("SdkAppId: it takes 1 to {}.", u32::MAX);
            return Err(Fault::new("InvalidParameter.SdkAppId", message));
        }
        Some(Ok(number)) => Some(number),
        None => None,
    };
    let of_call =
        params.opt_text("CommId").and_then(|text| text.split('_').next()?.parse::<u32>().ok());
    match (direct, of_call) {
        (Some(direct), Some(of_call)) if direct != of_call => {
            let message = format!("CommId is of application {of_call}, and SdkAppId is {direct}.");
            Err(Fault::new("InvalidParameter.SdkAppId", message))
        }
        (direct, of_call) => Ok(direct.or(of_call)),
    }
}

/// Whether the standing allows it, by what is committed when the call comes.
async fn standing(
    shared: &Shared,
    account: &AccountId,
    app: Option<SdkAppId>,
    action: &Action,
) -> Result<(), Fault> {
    shared.settle(account).await;
    shared.allows(account, app, action.class).map_err(|refusal| Fault::suspended(&refusal))
}

/// One line a call that changes something.
fn audit(call: &Call, answer: &Answer) {
    let app = call.app.map_or(0, |app| app.0);
    let code = answer.as_ref().map_or_else(Fault::code, |_| "OK");
    tracing::info!(
        account = %call.account,
        secret = call.secret.secret_id,
        app,
        action = call.action.name,
        code,
        "A server called an action."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_action_has_a_handler_and_no_other() {
        let mut built: Vec<_> = Service::ALL
            .iter()
            .flat_map(|service| service.actions())
            .filter(|action| action.is_built())
            .map(|action| action.name)
            .collect();
        let mut handled = HANDLED.to_vec();
        built.sort_unstable();
        handled.sort_unstable();
        assert_eq!(built, handled);
    }
}
