//! Usage and bills: what the actions say is what the books say.

use super::*;

#[tokio::test]
async fn usage_has_five_minutes_of_a_day_and_days_of_more() {
    let server = InProcess::start(&[("server_api_usage_rate", "1000")]).await;
    let ann = Caller::dev(&server);
    let mut keys = Vec::new();
    for (action, count, first) in [
        ("DescribeTrtcUsage", 10, "audio"),
        ("DescribeRecordingUsage", 7, "record_audio"),
        ("DescribeMixTranscodingUsage", 5, "mix_audio"),
        ("DescribeRelayUsage", 1, "relay"),
    ] {
        let mut params = json!({"StartTime": "2026-01-31", "EndTime": "2026-01-31"});
        if action == "DescribeRecordingUsage" {
            params["MixType"] = "single".into();
        }
        let answer = ann.call(action, params).await;
        let list = answer["UsageKey"].as_array().unwrap().clone();
        assert_eq!((list.len(), &list[0]), (count, &json!(first)), "{action}: {answer}");
        let rows = answer["UsageList"].as_array().unwrap();
        assert_eq!(rows.len(), 288, "{action}");
        assert_eq!(rows[1]["TimeKey"], "2026-01-31 00:05:00");
        assert_eq!(rows[1]["TimeStampKey"], 1_769_817_900);
        assert!(rows.iter().all(|row| row["UsageValue"] == json!(vec![0.0; count])), "{action}");
        keys.extend(list);
    }
    assert_eq!(keys.len(), fermata_types::Sku::ALL.len());
    let days = |from: &str, to: &str| json!({"StartTime": from, "EndTime": to});
    let month = ann.call("DescribeTrtcUsage", days("2026-01-01", "2026-01-31")).await;
    let rows = month["UsageList"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[30]["TimeKey"]), (31, &json!("2026-01-31 00:00:00")));
    for (from, to) in
        [("2026-01-01", "2026-02-01"), ("2026-01-02", "2026-01-01"), ("0001-01-01", "9999-12-31")]
    {
        assert_eq!(
            ann.code("DescribeTrtcUsage", days(from, to)).await,
            "InvalidParameterValue",
            "{from} {to}"
        );
    }
    let future = ann.call("DescribeTrtcUsage", days("9000-01-01", "9000-01-01")).await;
    assert_eq!(future["UsageList"], json!([]), "what has not begun is left out: {future}");
    server.stop().await;
}

#[tokio::test]
async fn usage_agrees_with_the_totals_of_the_day() {
    let server = InProcess::start(&[("server_api_usage_rate", "100000")]).await;
    let ann = Caller::dev(&server);
    let signals = enter(&server, "ann", "int/9").await;
    let day = today();
    let days = json!({"SdkAppId": dev::SDK_APP_ID.0, "StartTime": day, "EndTime": day});
    let sum = |answer: &Value| -> f64 {
        let rows = answer["UsageList"].as_array().unwrap();
        rows.iter()
            .flat_map(|row| row["UsageValue"].as_array().unwrap())
            .filter_map(Value::as_f64)
            .sum()
    };
    let seen = async {
        while sum(&ann.call("DescribeTrtcUsage", days.clone()).await) < 1.0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), seen).await.unwrap();
    drop(signals);
    let all = ann.call("DescribeTrtcUsage", json!({"StartTime": day, "EndTime": day})).await;
    assert!((sum(&all) - 1.0).abs() < f64::EPSILON, "{all}");
    let next = Now::read().wall + jiff::SignedDuration::from_hours(24);
    let two = json!({"StartTime": day, "EndTime": next.to_string()[..10]});
    let two = ann.call("DescribeTrtcUsage", two).await;
    assert!((sum(&two) - 1.0).abs() < f64::EPSILON, "{two}");
    assert_eq!(two["UsageList"].as_array().unwrap().len(), 1, "tomorrow has not begun");
    let body = json!({"SdkAppid": dev::SDK_APP_ID.0, "StartTime": format!("{day} 00:00"), "EndTime": format!("{day} 23:59")});
    let rooms = ann.call("DescribeTrtcRoomUsage", body).await;
    let text = rooms["Data"].as_str().unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("9,"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn bills_say_the_same_as_the_books() {
    let server = InProcess::start(&[("server_api_rate", "1000")]).await;
    let (id, app) =
        account(&server, json!({"name": "A", "sandbox": true, "credit_limit": "3"})).await;
    let ann = Caller::new(&server, &id, SecretPolicy::Full, &[]).await;
    let at = |path: &str| format!("POST /accounts/{id}{path}");
    let empty = ann.call("DescribeAccountBalance", json!({})).await;
    assert_eq!((&empty["Balance"], &empty["CreditBalance"]), (&json!(0), &json!(300)), "{empty}");
    let warning = ann.call("DescribeAccountWarning", json!({})).await;
    assert_eq!((&warning["Threshold"], &warning["Open"]), (&Value::Null, &json!("0")));
    did(
        &server,
        "POST /notice-subscriptions",
        json!({"account": id, "kind": "balance_low", "below": "7.5"}),
    )
    .await;
    let warning = ann.call("DescribeAccountWarning", json!({})).await;
    assert_eq!((&warning["Threshold"], &warning["Open"]), (&json!("750"), &json!("1")));

    let begin = Now::read().wall;
    did(&server, &at("/payments"), json!({"amount": "100", "provider_ref": "p1"})).await;
    did(&server, &at("/packages"), json!({"type": "minutes_25k"})).await;
    let end = (begin + jiff::SignedDuration::from_hours(24 * 300)).to_string();
    did(&server, &at("/vouchers"), json!({"amount": "1.25", "expires_at": end, "reason": "hello"}))
        .await;
    let used = json!({"app": app, "sku": "video_4k", "minutes": 11_000});
    did(&server, &at("/usage"), used).await;
    did(&server, &at("/clock"), json!({"advance": "PT48H"})).await;

    let bills = server.api(&format!("GET /accounts/{id}/bills"), None).await.json();
    let bill = bills["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|bill| bill["total"] != "0.00")
        .unwrap()
        .clone();
    let day = bill["period"]["from_day"].as_str().unwrap().to_owned();
    let month = day[..7].to_owned();
    let total = bill["total"].as_str().unwrap();
    let balance = server.api(&format!("GET /accounts/{id}/balance"), None).await.json();
    let told = ann.call("DescribeAccountBalance", json!({})).await;
    let cents = |text: &Value| text.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    let cash = cents(&balance["cash"]);
    assert_eq!(
        told["CashAccountBalance"].as_i64().unwrap() - told["OweAmount"].as_i64().unwrap(),
        cash,
        "{told}"
    );
    assert_eq!(told["RealCreditBalance"], cents(&balance["available"]), "{told}");

    let body = json!({"Offset": 0, "Limit": 100, "Month": month, "NeedRecordNum": 1});
    let detail = ann.call("DescribeBillDetail", body).await;
    let rows = detail["DetailSet"].as_array().unwrap_or_else(|| panic!("{detail}"));
    assert_eq!(detail["Total"], rows.len());
    let line =
        rows.iter().find(|row| row["OrderId"] == bill["id"]).unwrap_or_else(|| panic!("{detail}"));
    let component = &line["ComponentSet"][0];
    assert_eq!(
        (&component["RealCost"], &component["ItemCode"]),
        (&json!(total), &json!("video_4k"))
    );
    assert_eq!(component["VoucherPayAmount"], "1.25", "vouchers pay first");
    assert_eq!(
        (&line["BillDay"], &line["ProjectId"], &line["PayModeName"]),
        (&json!(day), &json!(app), &json!("Pay as you go"))
    );
    let bought = rows.iter().find(|row| row["ActionType"] == "prepay_purchase").unwrap();
    assert_eq!(bought["ComponentSet"][0]["RealCost"], "24.00");
    for (filter, count) in [
        (json!({"PayMode": "prePay"}), 1),
        (json!({"ProjectId": 0}), 1),
        (json!({"ActionType": "postpay_deduct_m"}), 0),
        (json!({"Offset": rows.len()}), 0),
    ] {
        let mut body = json!({"Offset": 0, "Limit": 100, "Month": month});
        body.as_object_mut().unwrap().extend(filter.as_object().unwrap().clone());
        let some = ann.call("DescribeBillDetail", body).await;
        assert_eq!(some["DetailSet"].as_array().unwrap().len(), count, "{filter}: {some}");
    }

    let span = json!({"BeginTime": format!("{month}-01 00:00:00"), "EndTime": format!("{month}-28 00:00:00")});
    let by_product = ann.call("DescribeBillSummaryByProduct", span.clone()).await;
    let whole = by_product["SummaryTotal"]["RealTotalCost"]
        .as_str()
        .unwrap_or_else(|| panic!("{by_product}"));
    let micros = |text: &str| fermata_billing::money::Money::parse_decimal(text).unwrap().micros();
    assert_eq!(micros(whole), micros(total) + 24_000_000);
    assert_eq!(by_product["SummaryOverview"][0]["RealTotalCostRatio"], "100.00");
    for (action, groups) in [
        ("DescribeBillSummaryByProject", 2),
        ("DescribeBillSummaryByRegion", 1),
        ("DescribeBillSummaryByPayMode", 2),
    ] {
        let answer = ann.call(action, span.clone()).await;
        let rows =
            answer["SummaryOverview"].as_array().unwrap_or_else(|| panic!("{action}: {answer}"));
        let sum: i64 = rows.iter().map(|row| micros(row["RealTotalCost"].as_str().unwrap())).sum();
        assert_eq!((rows.len(), sum), (groups, micros(whole)), "{action}: {answer}");
    }
    for group in ["business", "project", "region", "payMode", "tag"] {
        let answer =
            ann.call("DescribeBillSummary", json!({"Month": month, "GroupType": group})).await;
        let rows =
            answer["SummaryDetail"].as_array().unwrap_or_else(|| panic!("{group}: {answer}"));
        let sum: i64 = rows.iter().map(|row| micros(row["RealTotalCost"].as_str().unwrap())).sum();
        assert_eq!((sum, &answer["Ready"]), (micros(whole), &json!(1)), "{group}: {answer}");
    }
    let body = json!({"Offset": 0, "Limit": 10, "Month": month, "NeedRecordNum": 1});
    let resources = ann.call("DescribeBillResourceSummary", body).await;
    assert_eq!(resources["Total"], 2, "{resources}");

    let list =
        |from: &str, to: &str| json!({"StartTime": from, "EndTime": to, "Offset": 0, "Limit": 100});
    let from = (begin - jiff::SignedDuration::from_hours(24)).to_string()[..10].to_owned();
    let to = (begin + jiff::SignedDuration::from_hours(24 * 5)).to_string()[..10].to_owned();
    let moves = ann
        .call("DescribeBillList", list(&format!("{from} 00:00:00"), &format!("{to} 00:00:00")))
        .await;
    let rows = moves["TransactionList"].as_array().unwrap_or_else(|| panic!("{moves}"));
    let (mut before, mut kinds) = (0, Vec::new());
    for row in rows {
        before += row["Amount"].as_i64().unwrap();
        assert_eq!(row["Balance"], before, "each balance follows from the one before: {moves}");
        kinds.push(row["ActionType"].as_str().unwrap());
    }
    assert_eq!(kinds, ["recharge", "deduct", "recharge", "deduct"], "{moves}");
    assert_eq!((&moves["RechargeAmount"], &moves["Total"]), (&json!(10_125), &json!(4)));
    let years = list("2020-01-01 00:00:00", "2026-01-01 00:00:00");
    assert_eq!(ann.code("DescribeBillList", years).await, "InvalidParameterValue");

    let vouchers = ann.call("DescribeVoucherInfo", json!({})).await;
    let voucher = &vouchers["VoucherInfos"][0];
    assert_eq!(
        (&voucher["NominalValue"], &voucher["Status"]),
        (&json!(125_000_000), &json!("used")),
        "{vouchers}"
    );
    assert_eq!(vouchers["TotalCount"], 1);
    server.stop().await;
}
