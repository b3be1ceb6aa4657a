//! The family of `DescribeBillSummary`: what a month cost, by one dimension.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::call::{Answer, Call};
use super::super::fault::Fault;
use super::items::{Item, Ledger, of_month};
use super::{
    PRODUCT, PRODUCT_NAME, REGION, REGION_NAME, Totals, month, month_of_span, object, own_account,
    project,
};

/// Answers `DescribeBillSummary`: by `business`, `project`, `region`, `payMode` or `tag`.
pub(in crate::server_api) async fn bill_summary(call: &Call) -> Answer {
    own_account(call, &["PayerUin", "OperateUin"])?;
    let (month, group) = (month(call)?, call.params.text("GroupType")?);
    if !["business", "project", "region", "payMode", "tag"].contains(&group) {
        let message = "GroupType: it takes business, project, region, payMode or tag.";
        return Err(Fault::new("InvalidParameterValue", message));
    }
    let (ledger, items) = of_month(call, month, false).await?;
    let groups = grouped(items, |item| match group {
        "business" => (PRODUCT.to_owned(), PRODUCT_NAME.to_owned()),
        "project" => project_of(call, item),
        "region" => (REGION.to_string(), REGION_NAME.to_owned()),
        "payMode" => (item.kind.pay_mode().to_owned(), item.kind.pay_mode_name().to_owned()),
        // There are no tags: all is under the empty one.
        _ => (String::new(), String::new()),
    });
    let rows = groups.iter().map(|((key, value), items)| {
        let totals = Totals::of(items)?.fields(ledger.currency());
        let mut business = totals.clone();
        business.insert("BusinessCode".to_owned(), PRODUCT.into());
        business.insert("BusinessCodeName".to_owned(), PRODUCT_NAME.into());
        let mut row = totals;
        row.insert("GroupKey".to_owned(), key.as_str().into());
        row.insert("GroupValue".to_owned(), value.as_str().into());
        row.insert("Business".to_owned(), json!([business]));
        Ok(Value::Object(row))
    });
    let rows: Vec<Value> = rows.collect::<Result<_, Fault>>()?;
    object(json!({"Ready": 1, "SummaryDetail": rows}))
}

/// Answers `DescribeBillSummaryByProduct`. With `PayType` only `consume`, `refund` or `adjustment`.
pub(in crate::server_api) async fn summary_by_product(call: &Call) -> Answer {
    let (ledger, mut items) = items(call).await?;
    match call.text("PayType") {
        None | Some("") => {}
        Some("consume") => items.retain(|item| !item.amount.is_negative()),
        Some("refund") => items.retain(|item| item.kind == super::items::Kind::Refund),
        Some("adjustment") => items.retain(|item| item.kind == super::items::Kind::Credit),
        Some(_) => {
            let message = "PayType: it takes consume, refund or adjustment.";
            return Err(Fault::new("InvalidParameterValue", message));
        }
    }
    let whole = Totals::of(&items)?;
    let by = |_: &Item| (PRODUCT.to_owned(), PRODUCT_NAME.to_owned());
    let rows = overview(call, &ledger, items, ("BusinessCode", "BusinessCodeName"), by)?;
    object(json!({
        "Ready": 1,
        "SummaryTotal": whole.fields(ledger.currency()),
        "SummaryOverview": rows,
    }))
}

/// Answers `DescribeBillSummaryByProject`: an application is a project.
pub(in crate::server_api) async fn summary_by_project(call: &Call) -> Answer {
    let (ledger, items) = items(call).await?;
    let rows = overview(call, &ledger, items, ("ProjectId", "ProjectName"), |item| {
        project_of(call, item)
    })?;
    object(json!({"Ready": 1, "SummaryOverview": rows}))
}

/// Answers `DescribeBillSummaryByRegion`: there is one.
pub(in crate::server_api) async fn summary_by_region(call: &Call) -> Answer {
    let (ledger, items) = items(call).await?;
    let by = |_: &Item| (REGION.to_string(), REGION_NAME.to_owned());
    let rows = overview(call, &ledger, items, ("RegionId", "RegionName"), by)?;
    object(json!({"Ready": 1, "SummaryOverview": rows}))
}

/// Answers `DescribeBillSummaryByPayMode`, with the kinds of transactions under each.
pub(in crate::server_api) async fn summary_by_pay_mode(call: &Call) -> Answer {
    let (ledger, items) = items(call).await?;
    let whole = Totals::of(&items)?;
    let modes = grouped(items, |item| {
        (item.kind.pay_mode().to_owned(), item.kind.pay_mode_name().to_owned())
    });
    let mut rows = Vec::new();
    for ((code, name), items) in modes {
        let mut row = shares(
            &ledger,
            &Totals::of(&items)?,
            &whole,
            ("PayMode", &code),
            ("PayModeName", &name),
        );
        let by = |item: &Item| {
            (item.kind.action_type().to_owned(), item.kind.action_type_name().to_owned())
        };
        let detail = overview(call, &ledger, items, ("ActionType", "ActionTypeName"), by)?;
        row.insert("Detail".to_owned(), detail.into());
        rows.push(Value::Object(row));
    }
    object(json!({"Ready": 1, "SummaryOverview": rows}))
}

/// The items of the month that `BeginTime` and `EndTime` name.
async fn items(call: &Call) -> Result<(Ledger, Vec<Item>), Fault> {
    own_account(call, &["PayerUin"])?;
    of_month(call, month_of_span(call)?, false).await
}

fn project_of(call: &Call, item: &Item) -> (String, String) {
    let (id, name) = project(call, item.app);
    (id.to_string(), name)
}

/// Items by code and name, in their order.
fn grouped(
    items: Vec<Item>,
    by: impl Fn(&Item) -> (String, String),
) -> BTreeMap<(String, String), Vec<Item>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for item in items {
        groups.entry(by(&item)).or_default().push(item);
    }
    groups
}

/// A row a group, with its share in the whole; `names` are those of the fields for code and name.
fn overview(
    call: &Call,
    ledger: &Ledger,
    items: Vec<Item>,
    names: (&str, &str),
    by: impl Fn(&Item) -> (String, String),
) -> Result<Vec<Value>, Fault> {
    let month = month_of_span(call)?.to_string();
    let whole = Totals::of(&items)?;
    let rows = grouped(items, by).into_iter().map(|((code, name), items)| {
        let mut row =
            shares(ledger, &Totals::of(&items)?, &whole, (names.0, &code), (names.1, &name));
        row.insert("BillMonth".to_owned(), month.as_str().into());
        Ok(Value::Object(row))
    });
    rows.collect()
}

/// The fields of one row.
fn shares(
    ledger: &Ledger,
    totals: &Totals,
    whole: &Totals,
    code: (&str, &str),
    name: (&str, &str),
) -> Map<String, Value> {
    let mut row = totals.fields(ledger.currency());
    row.insert("RealTotalCostRatio".to_owned(), totals.ratio(whole).into());
    for (field, value) in [code, name] {
        row.insert(field.to_owned(), value.into());
    }
    row
}
