//! A bill as one page that needs nothing else: readable on a screen, by a screen reader and on paper.

use std::fmt::Write as _;

use crate::journal::{Bill, BillLine};
use crate::money::{Currency, Money};

use super::covered;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1d21;--soft:#57606a;--line:#d0d7de;--paper:#fff;--mark:#8a4b00}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--line:#3d444d;--paper:#0d1117;--mark:#f0b05a}}
*{box-sizing:border-box}
body{margin:2rem auto;max-width:70rem;padding:0 1.5rem;font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;margin:0 0 .25rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem;margin:1.5rem 0}
dt{color:var(--soft)}dd{margin:0}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.5rem 0}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
.n{text-align:right;white-space:nowrap}
thead th{border-bottom-width:2px}
tfoot td,tfoot th{font-weight:600;border-top:2px solid var(--line)}
.late{color:var(--mark);font-weight:600}
small{color:var(--soft);overflow-wrap:anywhere}
.total{font-size:1.25rem;font-weight:600}
@page{size:A4 landscape;margin:14mm}
@media print{:root{--ink:#000;--soft:#444;--line:#999;--paper:#fff;--mark:#000}body{margin:0;padding:0;max-width:none;font-size:9pt}\
table{font-size:8pt}thead{display:table-header-group}tr{break-inside:avoid}.wide{overflow:visible}}
";

const HEADS: [(&str, bool); 9] = [
    ("Day", false),
    ("Application", false),
    ("What", false),
    ("Minutes", true),
    ("Covered by packages", true),
    ("Absorbed", true),
    ("Billed", true),
    ("Price", false),
    ("Amount", true),
];

/// The bill as a page for `account_name`: every line with its minutes, what covered them, price and amount.
pub fn html(bill: &Bill, account_name: &str) -> String {
    let mut out = String::new();
    let title = format!("Bill {}", bill.id);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<h1>{title}</h1>\n<p>{name}</p>\n</header>\n",
        title = escape(&title),
        name = escape(account_name),
    );
    facts(&mut out, bill);
    table(&mut out, bill);
    out.push_str(
        "<p><small>Minutes are seconds summed per day, application and kind, rounded up. \
         Absorbed minutes cost nothing. Each amount is rounded once. \
         A late line is use that was reported after its day was billed.</small></p>\n\
         </main>\n</body>\n</html>\n",
    );
    out
}

fn facts(out: &mut String, bill: &Bill) {
    let currency = bill.currency;
    let days = if bill.from_day == bill.to_day {
        bill.from_day.to_string()
    } else {
        format!("{} to {}", bill.from_day, bill.to_day)
    };
    let rows = [
        ("Period", format!("{days} ({})", bill.zone)),
        ("From", format!("{} UTC", utc(&bill.from.to_string()))),
        ("To", format!("{} UTC, exclusive", utc(&bill.to.to_string()))),
        ("Issued", format!("{} UTC", utc(&bill.issued_at.to_string()))),
        ("Balance before", money(bill.balance_before, currency)),
        ("Balance after", money(bill.balance_after, currency)),
    ];
    out.push_str("<dl>\n");
    for (name, value) in rows {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    let total = escape(&money(bill.total, currency));
    let _ = writeln!(out, "<dt>Total</dt><dd class=\"total\">{total}</dd>\n</dl>");
}

/// `2026-11-02T00:00:00Z` for people.
fn utc(text: &str) -> String {
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}

fn money(amount: Money, currency: Currency) -> String {
    format!("{} {}", amount.to_decimal(currency), currency.code())
}

fn table(out: &mut String, bill: &Bill) {
    let count = bill.lines.len();
    let lines = if count == 1 { "line" } else { "lines" };
    let _ = write!(
        out,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Lines of the bill\">\n<table>\n\
         <caption>{count} {lines}; days are those of {}</caption>\n<thead>\n<tr>",
        escape(&bill.zone),
    );
    for (name, number) in HEADS {
        let _ = write!(out, "<th scope=\"col\"{}>{name}</th>", class(number));
    }
    out.push_str("</tr>\n</thead>\n<tbody>\n");
    for line in &bill.lines {
        row(out, line, bill.currency);
    }
    let _ = write!(
        out,
        "</tbody>\n<tfoot>\n<tr><th scope=\"row\" colspan=\"8\">Total</th><td class=\"n\">{}</td></tr>\n\
         </tfoot>\n</table>\n</div>\n",
        escape(&money(bill.total, bill.currency)),
    );
}

fn class(number: bool) -> &'static str {
    if number { " class=\"n\"" } else { "" }
}

fn row(out: &mut String, line: &BillLine, currency: Currency) {
    let late = if line.late { " <span class=\"late\">late</span>" } else { "" };
    let mut by = String::new();
    for burn in &line.covered {
        let package = escape(burn.package.as_str());
        let _ = write!(by, "<br><small>{} by {package}</small>", burn.minutes);
    }
    let _ = writeln!(
        out,
        "<tr><th scope=\"row\">{}{late}</th><td>{}</td><td>{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}{by}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
         <td>{} per {} min<br><small>price list {}</small></td><td class=\"n\">{}</td></tr>",
        line.key.day,
        line.key.app,
        escape(line.key.sku.code()),
        line.minutes,
        covered(line),
        line.absorbed,
        line.billed,
        escape(&money(line.price.amount, currency)),
        line.price.per,
        line.catalog_version,
        escape(&line.amount.to_decimal(currency)),
    );
}

/// Text for HTML, safe in content and in quoted attributes. Control characters, which HTML does not have, become
/// the replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            one if one.is_control() && one != '\n' && one != '\t' => out.push('\u{fffd}'),
            one => out.push(one),
        }
    }
    out
}
