//! A bill as CSV (RFC 4180): one record a line, then one with the total.

use crate::journal::Bill;

use super::{covered, packages};

/// The columns, in order.
const COLUMNS: [&str; 15] = [
    "bill",
    "from",
    "to",
    "time_zone",
    "day",
    "sdk_app_id",
    "sku",
    "late",
    "minutes",
    "covered",
    "packages",
    "billed",
    "absorbed",
    "price",
    "amount",
];

/// The bill as CSV in UTF-8 with CRLF after every record: a header, a record for each line, and a last one whose
/// `day` is `total`. Times are UTC, amounts decimal numbers of the currency that the header of their column
/// names, the price is that amount for so many minutes by that version of the price list.
///
/// A field that a spreadsheet would take for a formula begins with an apostrophe.
pub fn csv(bill: &Bill) -> String {
    let currency = bill.currency;
    let mut out = String::new();
    let header = COLUMNS.iter().map(|name| match *name {
        "price" | "amount" => format!("{name}_{}", currency.code().to_lowercase()),
        name => name.to_owned(),
    });
    record(&mut out, header);
    let document =
        || [bill.id.to_string(), bill.from.to_string(), bill.to.to_string(), bill.zone.clone()];
    for line in &bill.lines {
        let price = format!(
            "{} per {} (version {})",
            line.price.amount.to_decimal(currency),
            line.price.per,
            line.catalog_version
        );
        let own = [
            line.key.day.to_string(),
            line.key.app.to_string(),
            line.key.sku.code().to_owned(),
            if line.late { "yes" } else { "no" }.to_owned(),
            line.minutes.to_string(),
            covered(line).to_string(),
            packages(&line.covered),
            line.billed.to_string(),
            line.absorbed.to_string(),
            price,
            line.amount.to_decimal(currency),
        ];
        record(&mut out, document().into_iter().chain(own));
    }
    let total = ["total", "", "", "", "", "", "", "", "", ""].map(str::to_owned);
    let total = total.into_iter().chain([bill.total.to_decimal(currency)]);
    record(&mut out, document().into_iter().chain(total));
    out
}

fn record(out: &mut String, fields: impl IntoIterator<Item = String>) {
    for (index, text) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&field(&text));
    }
    out.push_str("\r\n");
}

/// Quoted where RFC 4180 needs it, and never a formula: what is no number but begins like one gets an apostrophe.
pub(super) fn field(text: &str) -> String {
    let number = text.strip_prefix('-').unwrap_or(text);
    let number = !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && number.starts_with(|first: char| first.is_ascii_digit());
    let formula = !number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}
