//! `DescribeBillResourceSummary`: a month by application and kind of payment.

use std::collections::BTreeMap;

use fermata_billing::money::Money;
use fermata_types::SdkAppId;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::super::call::{Answer, Call};
use super::super::fault::Fault;
use super::detail::{by_payment, wanted};
use super::items::{Item, Kind, Ledger, inside, of_month};
use super::{
    PRODUCT, PRODUCT_NAME, REGION, REGION_NAME, Totals, month, no_tags, object, own_account, page,
    part, project, uin,
};

/// Most rows of one answer.
const LIMIT_MAX: usize = 1_000;

/// What is summed into one row.
type Group = (Option<SdkAppId>, &'static str, Kind);

/// Answers `DescribeBillResourceSummary`.
pub(in crate::server_api) async fn bill_resource_summary(call: &Call) -> Answer {
    own_account(call, &["PayerUin"])?;
    let month = month(call)?;
    let (ledger, items) = of_month(call, month, by_payment(call)).await?;
    // There are no tags: whoever asks for one gets nothing.
    let tagged =
        ["TagKey", "TagValue"].iter().any(|name| call.text(name).is_some_and(|of| !of.is_empty()));
    let mut groups: BTreeMap<Group, Vec<&Item>> = BTreeMap::new();
    for item in items.iter().filter(|item| !tagged && wanted(call, item)) {
        groups.entry((item.app, part(item).0, item.kind)).or_default().push(item);
    }
    let total = groups.len();
    let rows = page(call, groups.into_iter().collect(), LIMIT_MAX)?;
    let rows: Vec<Value> = rows
        .iter()
        .map(|(group, items)| row(call, &ledger, group, items))
        .collect::<Result<_, Fault>>()?;
    let mut answer = json!({"ResourceSummarySet": rows, "Total": Value::Null});
    if call.number("NeedRecordNum") == Some(1) {
        answer["Total"] = total.into();
    }
    object(answer)
}

/// One row, with every field of the model.
fn row(call: &Call, ledger: &Ledger, group: &Group, items: &[&Item]) -> Result<Value, Fault> {
    let (app, code, kind) = *group;
    let (app, app_name) = project(call, app);
    let totals = Totals::of(items.iter().copied())?;
    let uin = uin(&call.account).to_string();
    let days = items.iter().map(|item| item.day);
    let (first, last) = (days.clone().min().unwrap_or_default(), days.max().unwrap_or_default());
    let moment = |at: Result<jiff::Timestamp, _>| {
        at.map(|at| ledger.moment(at))
            .map_err(|e: fermata_billing::calendar::CalendarError| inside(&e))
    };
    let (begin, end) = (
        moment(ledger.profile.calendar.day_start(first))?,
        moment(ledger.profile.calendar.day_end(last).map(last_second))?,
    );
    let paid_at = items.iter().map(|item| item.paid_at).max().unwrap_or_default();
    let mut fields = totals.fields(ledger.currency());
    let Value::Object(more) = json!({
        "BusinessCodeName": PRODUCT_NAME,
        "ProductCodeName": items.first().map_or("", |item| part(item).1),
        "PayModeName": kind.pay_mode_name(),
        "ProjectName": app_name,
        "RegionName": REGION_NAME,
        "ZoneName": "",
        "ResourceId": app.to_string(),
        "ResourceName": app_name,
        "ActionTypeName": kind.action_type_name(),
        "OrderId": "",
        "PayTime": ledger.moment(paid_at),
        "FeeBeginTime": begin,
        "FeeEndTime": end,
        "ConfigDesc": used(items),
        "ExtendField1": "",
        "ExtendField2": "",
        "ExtendField3": "",
        "ExtendField4": "",
        "ExtendField5": "",
        "Discount": "1",
        "ReduceType": "",
        "Tags": no_tags(),
        "PayerUin": uin,
        "OwnerUin": uin,
        "OperateUin": uin,
        "BusinessCode": PRODUCT,
        "ProductCode": code,
        "RegionId": REGION,
        "InstanceType": "",
        "OriginalCostWithRI": ledger.text(Money::ZERO),
        "SPDeduction": ledger.text(Money::ZERO),
        "OriginalCostWithSP": ledger.text(Money::ZERO),
        "BillMonth": bill_month(first),
    }) else {
        return Err(Fault::internal());
    };
    fields.extend(more);
    Ok(Value::Object(fields))
}

/// The last second before a moment.
fn last_second(end: jiff::Timestamp) -> jiff::Timestamp {
    end.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(end)
}

fn bill_month(day: Date) -> String {
    fermata_billing::calendar::YearMonth::of(day).to_string()
}

/// Minutes by kind, in words: `video_hd: 120 minutes, 20 billed`.
fn used(items: &[&Item]) -> String {
    let mut by_sku: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for item in items {
        let Some(sku) = item.sku else { continue };
        let sums = by_sku.entry(sku).or_default();
        *sums = (sums.0.saturating_add(item.minutes), sums.1.saturating_add(item.billed));
    }
    let parts = by_sku.iter().map(|(sku, (minutes, billed))| {
        format!("{}: {minutes} minutes, {billed} billed", sku.code())
    });
    parts.collect::<Vec<_>>().join("; ")
}
