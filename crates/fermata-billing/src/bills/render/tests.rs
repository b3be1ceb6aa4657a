//! One bill, written down as it must look, and texts that try to be more than text.

use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::civil::date;

use super::csv::field;
use super::{csv, html};
use crate::id::{BillId, PackageId, TxnId};
use crate::journal::{Bill, BillLine};
use crate::money::{Currency, Money, Price};
use crate::state::{Burn, DayKey};
use crate::units::Units;

fn line(day: i8, late: bool, covered: Vec<Burn>, billed: u64, amount: i64) -> BillLine {
    let minutes = covered.iter().map(|burn| burn.minutes).sum::<u64>() + billed;
    let key = DayKey { day: date(2026, 11, day), app: SdkAppId(1_400_000_001), sku: Sku::VideoHd };
    let price = Price { amount: Money::from_micros(3_990_000), per: 1_000 };
    let amount = Money::from_micros(amount);
    let (absorbed, catalog_version) = (0, 3);
    BillLine { key, late, minutes, covered, billed, absorbed, catalog_version, price, amount }
}

fn bill() -> Bill {
    let account = AccountId::from_text("AC_abc");
    let burn = |serial, minutes| Burn {
        package: PackageId::nth(&account, serial),
        minutes,
        units: Units::from_minutes(minutes).expect("few"),
    };
    Bill {
        id: BillId::nth(&account, 9),
        from_day: date(2026, 11, 2),
        to_day: date(2026, 11, 2),
        from: "2026-11-01T23:00:00Z".parse().expect("a moment"),
        to: "2026-11-02T23:00:00Z".parse().expect("a moment"),
        zone: "Europe/Berlin".to_owned(),
        month: None,
        issued_at: "2026-11-03T07:12:00Z".parse().expect("a moment"),
        currency: Currency::USD,
        lines: vec![
            line(1, true, Vec::new(), 10, 40_000),
            line(2, false, vec![burn(3, 40), burn(4, 2)], 1_000, 3_990_000),
        ],
        total: Money::from_micros(4_030_000),
        balance_before: Money::from_micros(1_000_000),
        balance_after: Money::from_micros(-3_030_000),
        txn: Some(TxnId::nth(&account, 10)),
    }
}

#[test]
fn s6_a_bill_as_csv() {
    let head = "BL_abc_9,2026-11-01T23:00:00Z,2026-11-02T23:00:00Z,Europe/Berlin";
    let expected = [
        "bill,from,to,time_zone,day,sdk_app_id,sku,late,minutes,covered,packages,billed,absorbed,price_usd,amount_usd".to_owned(),
        format!("{head},2026-11-01,1400000001,video_hd,yes,10,0,,10,0,3.99 per 1000 (version 3),0.04"),
        format!("{head},2026-11-02,1400000001,video_hd,no,1042,42,\"PK_abc_3: 40, PK_abc_4: 2\",1000,0,3.99 per 1000 (version 3),3.99"),
        format!("{head},total,,,,,,,,,,4.03"),
        String::new(),
    ];
    assert_eq!(csv(&bill()), expected.join("\r\n"));
}

#[test]
fn a_field_is_quoted_where_needed_and_never_a_formula() {
    let rows = [
        ("plain", "plain"),
        ("-12.34", "-12.34"),
        ("12", "12"),
        ("", ""),
        ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("two\nlines", "\"two\nlines\""),
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("@cmd", "'@cmd"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("-", "'-"),
        ("\tx", "'\tx"),
        ("\r=1", "\"'\r=1\""),
        ("=a,\"b\"", "\"'=a,\"\"b\"\"\""),
    ];
    for (text, expected) in rows {
        assert_eq!(field(text), expected, "{text:?}");
    }
}

#[test]
fn s6_a_bill_as_a_page() {
    let page = html(&bill(), "Ada & <Sons>");
    let body = page.split("<body>").nth(1).expect("a body");
    let expected = r#"
<main>
<header>
<h1>Bill BL_abc_9</h1>
<p>Ada &amp; &lt;Sons&gt;</p>
</header>
<dl>
<dt>Period</dt><dd>2026-11-02 (Europe/Berlin)</dd>
<dt>From</dt><dd>2026-11-01 23:00:00 UTC</dd>
<dt>To</dt><dd>2026-11-02 23:00:00 UTC, exclusive</dd>
<dt>Issued</dt><dd>2026-11-03 07:12:00 UTC</dd>
<dt>Balance before</dt><dd>1.00 USD</dd>
<dt>Balance after</dt><dd>-3.03 USD</dd>
<dt>Total</dt><dd class="total">4.03 USD</dd>
</dl>
<div class="wide" tabindex="0" role="region" aria-label="Lines of the bill">
<table>
<caption>2 lines; days are those of Europe/Berlin</caption>
<thead>
<tr><th scope="col">Day</th><th scope="col">Application</th><th scope="col">What</th><th scope="col" class="n">Minutes</th><th scope="col" class="n">Covered by packages</th><th scope="col" class="n">Absorbed</th><th scope="col" class="n">Billed</th><th scope="col">Price</th><th scope="col" class="n">Amount</th></tr>
</thead>
<tbody>
<tr><th scope="row">2026-11-01 <span class="late">late</span></th><td>1400000001</td><td>video_hd</td><td class="n">10</td><td class="n">0</td><td class="n">0</td><td class="n">10</td><td>3.99 USD per 1000 min<br><small>price list 3</small></td><td class="n">0.04</td></tr>
<tr><th scope="row">2026-11-02</th><td>1400000001</td><td>video_hd</td><td class="n">1042</td><td class="n">42<br><small>40 by PK_abc_3</small><br><small>2 by PK_abc_4</small></td><td class="n">0</td><td class="n">1000</td><td>3.99 USD per 1000 min<br><small>price list 3</small></td><td class="n">3.99</td></tr>
</tbody>
<tfoot>
<tr><th scope="row" colspan="8">Total</th><td class="n">4.03 USD</td></tr>
</tfoot>
</table>
</div>
"#;
    assert!(body.starts_with(expected), "{body}");
    for needed in
        ["<html lang=\"en\">", "color-scheme:light dark", "size:A4", "<title>Bill BL_abc_9</title>"]
    {
        assert!(page.contains(needed), "{needed}");
    }
    for foreign in ["http:", "https:", "<script", "<link", "<img"] {
        assert!(!page.contains(foreign), "the page needs nothing else: {foreign}");
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let mut bill = bill();
    let evil = "<script>alert('1')</script>\"&\u{0}";
    bill.id = BillId::from_text(evil);
    bill.zone = evil.to_owned();
    bill.lines[1].covered[0].package = PackageId::from_text(evil);
    let page = html(&bill, evil);
    assert!(!page.contains("<script") && !page.contains('\u{0}'), "{page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;\u{fffd}"));
}
