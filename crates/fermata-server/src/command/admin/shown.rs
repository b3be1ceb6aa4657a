//! Answers for people: aligned tables and records, times short, numbers right-aligned.
//!
//! Names come from customers and go to a terminal: control characters are replaced.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Columns of lists within records, by the name of the list; of others, all columns are shown.
const WITHIN: &[(&str, &[&str])] = &[
    ("apps", &["sdk_app_id", "label"]),
    ("contacts", &["name", "email", "webhook.url"]),
    ("fired", &["due", "timer", "transitions"]),
    ("holds", &["id", "kind", "scope", "since", "cause", "remedy"]),
    ("timers", &["due", "kind"]),
];

/// Fields that come first in a record; the others follow by name.
const FIRST: &[&str] = &["id", "name", "label", "now"];

/// A table of these columns; a dot in a column leads into an object.
pub(super) fn table(items: &[Value], columns: &[&str]) -> String {
    let titles = columns.iter().map(|column| title(column)).collect();
    let mut rows: Vec<Vec<String>> = vec![titles];
    for item in items {
        rows.push(columns.iter().map(|column| cell(at(item, column))).collect());
    }
    aligned(&rows)
}

/// A record: a line for each field, tables below.
pub(super) fn record(value: &Value) -> String {
    let (mut lines, mut tables) = (Vec::new(), String::new());
    flatten("", value, &mut lines, &mut tables);
    let width = lines.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{}  {value}", padded(&name, width, false));
    }
    text + &tables
}

fn flatten(prefix: &str, value: &Value, lines: &mut Vec<(String, String)>, tables: &mut String) {
    let Value::Object(fields) = value else {
        lines.push((prefix.to_owned(), cell(value)));
        return;
    };
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| rank(name));
    for (name, value) in fields {
        let path =
            if prefix.is_empty() { clean(name) } else { format!("{prefix}.{}", clean(name)) };
        match value {
            Value::Object(inner) if !inner.is_empty() && inner.values().all(Value::is_boolean) => {
                let of = |wanted: bool| -> Vec<_> {
                    let named = inner.iter().filter(|(_, value)| **value == Value::Bool(wanted));
                    named.map(|(name, _)| clean(name)).collect()
                };
                for (answer, names) in [("yes", of(true)), ("no", of(false))] {
                    let names = if names.is_empty() { "-".to_owned() } else { names.join(" ") };
                    lines.push((format!("{path} {answer}"), names));
                }
            }
            Value::Object(_) => flatten(&path, value, lines, tables),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let _ = write!(tables, "\n{path}\n{}", table(items, &within(name, items)));
            }
            _ => lines.push((path, cell(value))),
        }
    }
}

fn within<'a>(name: &str, items: &'a [Value]) -> Vec<&'a str> {
    if let Some((_, columns)) = WITHIN.iter().find(|(list, _)| *list == name) {
        return columns.to_vec();
    }
    let first = items.iter().find_map(Value::as_object);
    first.map(|first| first.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn at<'a>(item: &'a Value, column: &str) -> &'a Value {
    column.split('.').fold(item, |value, field| &value[field])
}

fn title(column: &str) -> String {
    let last = column.rsplit('.').next().unwrap_or(column);
    clean(last).to_uppercase().replace('_', " ")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => moment(text).unwrap_or_else(|| clean(text)),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let parts =
                fields.iter().map(|(name, value)| format!("{}={}", clean(name), cell(value)));
            parts.collect::<Vec<_>>().join(" ")
        }
    }
}

/// A moment as people read it, UTC, to the second.
fn moment(text: &str) -> Option<String> {
    let moment: Timestamp =
        text.parse().ok().filter(|_| text.len() >= "2026-01-31T00:00Z".len())?;
    Some(moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Without control characters, and those that turn the direction of text.
pub(super) fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// Columns on a terminal: two for the wide characters of East Asia and for emoji, none for marks that join the
/// character before them (ranges of Unicode's East Asian Width and combining classes, the large ones).
fn columns(text: &str) -> usize {
    let of = |c: char| match u32::from(c) {
        0x0300..=0x036F | 0x200B..=0x200D | 0x20D0..=0x20FF | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    };
    text.chars().map(of).sum()
}

fn padded(text: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(columns(text)));
    if right { space + text } else { text.to_owned() + &space }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Rows with a title row; columns of numbers alone are aligned to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let column = |index: usize| rows.iter().filter_map(move |row| row.get(index));
    let shapes: Vec<(usize, bool)> = (0..count)
        .map(|index| {
            let width = column(index).map(|text| columns(text)).max().unwrap_or(0);
            let mut cells = column(index).skip(1).filter(|text| *text != "-").peekable();
            let right = cells.peek().is_some() && cells.all(|text| is_number(text));
            (width, right)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells =
            row.iter().zip(&shapes).map(|(cell, (width, right))| padded(cell, *width, *right));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_are_aligned_and_harmless() {
        let items = [
            json!({"id": "AC_1", "name": "会議", "total": "9.90", "at": "2026-01-31T08:30:00.123Z", "p": {"d": 1}}),
            json!({"id": "AC_22", "name": "e\u{301}\u{1b}[31m", "total": "-120.00", "at": null, "p": null}),
        ];
        let text = table(&items, &["id", "name", "total", "at", "p.d"]);
        let expected = "ID     NAME      TOTAL  AT                   D\n\
                        AC_1   会議       9.90  2026-01-31 08:30:00  1\n\
                        AC_22  e\u{301}\u{fffd}[31m  -120.00  -                    -\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn records_show_every_field() {
        let value = json!({
            "label": "grace",
            "allows": {"join": true, "api": false},
            "arrears": {"since": "2026-01-31T08:30:00Z", "suspend_due": null},
            "timers": [{"kind": "suspend", "due": "2026-02-01T08:30:00Z"}],
            "empty": [],
            "transitions": ["T5", "T2"],
        });
        let text = record(&value);
        for line in [
            "label                grace",
            "allows yes           join",
            "allows no            api",
            "arrears.since        2026-01-31 08:30:00",
            "arrears.suspend_due  -",
            "transitions          T5, T2",
            "empty                -",
            "2026-02-01 08:30:00  suspend",
        ] {
            assert!(text.lines().any(|found| found == line), "{line:?} is not in\n{text}");
        }
    }
}
