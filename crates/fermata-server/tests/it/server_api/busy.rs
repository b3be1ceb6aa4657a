//! Bills of an account whose journal is far longer than what an answer may be made of.

use fermata_billing::command::{Actor, Command as BillingCommand, UsageDelta};
use fermata_billing::journal::PostingKind;
use fermata_server::limits::SERVER_API_JOURNAL_ROWS_MAX;
use fermata_store::BillingCall;
use fermata_types::Sku;
use jiff::{SignedDuration, Timestamp};

use super::*;

/// Days of which late minutes are reported: all have closed a month after the account began.
const DAYS: i64 = 29;
/// SKUs that packages cover, for few units each.
const SKUS: [Sku; 5] = [
    Sku::Audio,
    Sku::VideoHd,
    Sku::LiveAudienceAudio,
    Sku::LiveAudienceVideoHd,
    Sku::LiveAudienceVideoFhd,
];

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// Reports one late minute of every day and SKU: each is a booking of its own, that a package burns.
async fn burn(server: &InProcess, account: &AccountId, app: u32, begin: Timestamp) {
    let of_day = |day| {
        SKUS.map(|sku| UsageDelta { app: SdkAppId(app), sku, at: begin + days(day), seconds: 60 })
    };
    let call = BillingCall {
        account: account.clone(),
        command: BillingCommand::Usage { deltas: (0..DAYS).flat_map(of_day).collect() },
        actor: Actor::system(),
        wall: Now::read().wall,
        once: None,
    };
    server.shared.store.bill(call).await.unwrap();
}

async fn bookings(server: &InProcess, account: &AccountId) -> usize {
    let (mut count, mut after) = (0, 0);
    loop {
        let kinds = &[PostingKind::Consumption];
        let page = server.shared.store.journal(account.clone(), &[], kinds, after, 1_000);
        let page = page.await.unwrap();
        let Some(last) = page.last() else { return count };
        (count, after) = (count + page.len(), last.seq);
    }
}

#[tokio::test]
async fn bills_are_shown_among_more_bookings_of_consumption_than_an_answer_may_have_rows() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let body = json!({"name": "A", "sandbox": true, "time_zone": "UTC"});
    let (id, app) = account(&server, body).await;
    let ann = Caller::new(&server, &id, SecretPolicy::Full, &[]).await;
    let at = |path: &str| format!("POST /accounts/{id}{path}");
    let begin = Now::read().wall;
    did(&server, &at("/payments"), json!({"amount": "300", "provider_ref": "p1"})).await;
    did(&server, &at("/packages"), json!({"type": "minutes_250k"})).await;
    let end = (begin + days(300)).to_string();
    did(&server, &at("/vouchers"), json!({"amount": "1.25", "expires_at": end, "reason": "hello"}))
        .await;
    did(&server, &at("/clock"), json!({"advance": "PT720H"})).await;
    let account = AccountId::from_text(&id);
    let per_report = usize::try_from(DAYS).unwrap() * SKUS.len();
    for _ in 0..=SERVER_API_JOURNAL_ROWS_MAX / per_report {
        burn(&server, &account, app, begin).await;
    }
    // The late minutes get a bill of their own.
    did(&server, &at("/clock"), json!({"advance": "PT48H"})).await;
    let burnt = bookings(&server, &account).await;
    assert!(burnt > SERVER_API_JOURNAL_ROWS_MAX, "{burnt}");

    let month = begin.to_string()[..7].to_owned();
    let body = json!({"Offset": 0, "Limit": 100, "Month": month, "NeedRecordNum": 1});
    let detail = ann.call("DescribeBillDetail", body).await;
    let rows = detail["DetailSet"].as_array().unwrap_or_else(|| panic!("{detail}"));
    let kinds: BTreeSet<_> = rows.iter().map(|row| row["ActionType"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["postpay_deduct_d", "prepay_purchase"].into(), "{detail}");
    let span = json!({"BeginTime": format!("{month}-01 00:00:00"), "EndTime": format!("{month}-28 00:00:00")});
    let summary = ann.call("DescribeBillSummaryByProduct", span).await;
    assert_eq!(summary["SummaryTotal"]["RealTotalCost"], "227.00", "{summary}");

    let day = |at: Timestamp| format!("{} 00:00:00", &at.to_string()[..10]);
    let span = json!({"StartTime": day(begin - days(1)), "EndTime": day(begin + days(40)), "Offset": 0, "Limit": 100});
    let moves = ann.call("DescribeBillList", span).await;
    let rows = moves["TransactionList"].as_array().unwrap_or_else(|| panic!("{moves}"));
    let balances: Vec<_> = rows.iter().map(|row| row["Balance"].as_i64().unwrap()).collect();
    assert_eq!(balances, [30_000, 7_300, 7_425], "{moves}");
    let vouchers = ann.call("DescribeVoucherInfo", json!({})).await;
    assert_eq!(vouchers["VoucherInfos"][0]["Status"], "unUsed", "{vouchers}");
    server.stop().await;
}
