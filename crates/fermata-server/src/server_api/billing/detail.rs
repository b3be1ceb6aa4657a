//! `DescribeBillDetail`: every line of the bills of a month, and what packages cost.

use fermata_billing::calendar::YearMonth;
use fermata_billing::money::Money;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::call::{Answer, Call};
use super::super::fault::Fault;
use super::items::{Item, Kind, Ledger, inside, of_month};
use super::{
    PRODUCT, PRODUCT_NAME, REGION, REGION_NAME, no_tags, object, own_account, page, part, project,
    uin,
};

/// Most rows of one answer.
const LIMIT_MAX: usize = 300;

/// Answers `DescribeBillDetail`.
pub(in crate::server_api) async fn bill_detail(call: &Call) -> Answer {
    own_account(call, &["PayerUin"])?;
    let (month, span) = asked_for(call)?;
    let (ledger, mut items) = of_month(call, month, by_payment(call)).await?;
    if let Some((from, to)) = span {
        let zone = TimeZone::get(ledger.profile.calendar.zone_of(month.first_day()))
            .map_err(|e| inside(&e))?;
        let at = |civil: DateTime| civil.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
        let (from, to) = (at(from).map_err(|e| inside(&e))?, at(to).map_err(|e| inside(&e))?);
        items.retain(|item| (from..=to).contains(&counted_at(&ledger, item, call)));
    }
    items.retain(|item| wanted(call, item));
    let total = items.len();
    let rows = page(call, items, LIMIT_MAX)?;
    let rows: Vec<Value> =
        rows.iter().map(|item| row(call, &ledger, item)).collect::<Result<_, Fault>>()?;
    let mut answer = json!({"DetailSet": rows, "Total": Value::Null, "Context": ""});
    if call.number("NeedRecordNum") == Some(1) {
        answer["Total"] = total.into();
    }
    object(answer)
}

/// The month, and the part of it if `BeginTime` and `EndTime` say so.
fn asked_for(call: &Call) -> Result<(YearMonth, Option<(DateTime, DateTime)>), Fault> {
    let given = (call.params.opt_date_time("BeginTime"), call.params.opt_date_time("EndTime"));
    match given {
        (Some(begin), Some(end)) => {
            let month = YearMonth::of(begin.date());
            if YearMonth::of(end.date()) != month || end < begin {
                let message = "EndTime: it must be in the month of BeginTime and not before it.";
                return Err(Fault::new("InvalidParameterValue", message));
            }
            Ok((month, Some((begin, end))))
        }
        (None, None) => {
            let day = call.params.opt_date("Month").ok_or_else(|| {
                let message = "Month is missing; it takes a month such as 2026-01, or BeginTime with EndTime.";
                Fault::new("MissingParameter", message)
            })?;
            Ok((YearMonth::of(day), None))
        }
        _ => Err(Fault::new(
            "MissingParameter",
            "BeginTime and EndTime go together; give both or neither.",
        )),
    }
}

/// By the time of payment instead of use?
pub(super) fn by_payment(call: &Call) -> bool {
    call.text("PeriodType") == Some("byPayTime")
}

/// The moment by which an item is counted.
fn counted_at(ledger: &Ledger, item: &Item, call: &Call) -> Timestamp {
    if by_payment(call) || item.sku.is_none() {
        return item.paid_at;
    }
    ledger.profile.calendar.day_start(item.day).unwrap_or(item.paid_at)
}

/// Do the parameters that choose let it through?
pub(super) fn wanted(call: &Call, item: &Item) -> bool {
    let is = |name: &str, own: &str| {
        call.text(name).is_none_or(|given| given.is_empty() || given == own)
    };
    let app = item.app.map_or(0, |app| app.0);
    is("PayMode", item.kind.pay_mode())
        && (is("ActionType", item.kind.action_type())
            || is("ActionType", item.kind.action_type_name()))
        && is("ResourceId", &app.to_string())
        && is("BusinessCode", PRODUCT)
        && is("ProductCode", part(item).0)
        && call.number("ProjectId").is_none_or(|given| given == i64::from(app))
}

/// One row, with every field of the model.
fn row(call: &Call, ledger: &Ledger, item: &Item) -> Result<Value, Fault> {
    let (code, name) = part(item);
    let (app, app_name) = project(call, item.app);
    let uin = uin(&call.account).to_string();
    let (begin, end) =
        (ledger.profile.calendar.day_start(item.day), ledger.profile.calendar.day_end(item.day));
    let (begin, end) = (begin.map_err(|e| inside(&e))?, end.map_err(|e| inside(&e))?);
    // The last second that belongs to it.
    let end = end.saturating_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(end);
    Ok(json!({
        "BusinessCodeName": PRODUCT_NAME,
        "ProductCodeName": name,
        "PayModeName": item.kind.pay_mode_name(),
        "ProjectName": app_name,
        "RegionName": REGION_NAME,
        "ZoneName": "",
        "ResourceId": app.to_string(),
        "ResourceName": app_name,
        "ActionTypeName": item.kind.action_type_name(),
        "OrderId": item.document,
        "BillId": item.txn.as_ref().map(ToString::to_string).unwrap_or_default(),
        "PayTime": ledger.moment(item.paid_at),
        "FeeBeginTime": ledger.moment(begin),
        "FeeEndTime": ledger.moment(end),
        "ComponentSet": [component(ledger, item)],
        "PayerUin": uin,
        "OwnerUin": uin,
        "OperateUin": uin,
        "Tags": no_tags(),
        "BusinessCode": PRODUCT,
        "ProductCode": code,
        "ActionType": item.kind.action_type(),
        "RegionId": REGION.to_string(),
        "ProjectId": app,
        "PriceInfo": [],
        "ExtendField": "",
        "AssociatedOrder": associated(item),
        "Formula": "",
        "FormulaUrl": "",
        "BillDay": item.day.to_string(),
        "BillMonth": YearMonth::of(item.day).to_string(),
        "Id": item.id,
        "RegionType": "",
        "RegionTypeName": "",
        "ReserveDetail": "",
        "DiscountObject": "",
        "DiscountType": "",
        "DiscountContent": "",
    }))
}

/// The documents behind a payment.
fn associated(item: &Item) -> Value {
    let of = |kind| if item.kind == kind { item.document.as_str() } else { "" };
    json!({
        "PrepayPurchase": of(Kind::Purchase),
        "PrepayRenew": "",
        "PrepayModifyUp": "",
        "ReverseOrder": of(Kind::Credit),
        "NewOrder": "",
        "Original": "",
    })
}

/// The one component of an item.
fn component(ledger: &Ledger, item: &Item) -> Value {
    let text = |amount: Money| ledger.text(amount);
    let code = item.sku.map_or_else(|| part(item).0, fermata_types::Sku::code);
    let (price, unit) = match item.price {
        Some(price) => (text(price.amount), format!("{}/{} minutes", ledger.currency(), price.per)),
        None => (text(item.amount), ledger.currency().to_string()),
    };
    let minutes = item.sku.is_some();
    let count = |of: u64| if minutes { of.to_string() } else { "1".to_owned() };
    json!({
        "ComponentCodeName": code,
        "ItemCodeName": code,
        "SinglePrice": price,
        "SpecifiedPrice": price,
        "PriceUnit": unit,
        "UsedAmount": count(item.billed),
        "UsedAmountUnit": if minutes { "minute" } else { "" },
        "RealTotalMeasure": count(item.minutes),
        "DeductedMeasure": if minutes { item.deducted.to_string() } else { "0".to_owned() },
        "TimeSpan": "1",
        "TimeUnitName": if minutes { "day" } else { "" },
        "Cost": text(item.amount),
        "Discount": "1",
        "ReduceType": "",
        "RealCost": text(item.amount),
        "VoucherPayAmount": text(item.vouchers),
        "CashPayAmount": text(item.cash),
        "IncentivePayAmount": text(Money::ZERO),
        "TransferPayAmount": text(Money::ZERO),
        "ItemCode": code,
        "ComponentCode": code,
        "ContractPrice": price,
        "InstanceType": "",
        "RiTimeSpan": "0",
        "OriginalCostWithRI": text(Money::ZERO),
        "SPDeductionRate": "0",
        "SPDeduction": text(Money::ZERO),
        "OriginalCostWithSP": text(Money::ZERO),
        "BlendedDiscount": "1",
        "ComponentConfig": [],
        "TaxRate": "0",
        "TaxAmount": text(Money::ZERO),
        "Currency": ledger.currency().code(),
    })
}
