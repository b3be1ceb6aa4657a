//! Reading a TOML tree by hand: every value with its path and its line, so that an error can name both.
//!
//! What it is not: it knows the fields of no table; the import does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::shortened;
use super::{CatalogError, Validity};
use crate::money::{MICROS_PER_UNIT, Money, MoneyError};
use crate::units::{RATIO_MAX, Ratio, THOUSANDTHS_PER_UNIT, Units};

/// A table on the way in.
pub(super) struct Fields<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a str,
    pub(super) at: usize,
    pub(super) table: &'a DeTable<'a>,
}

/// A value on the way in.
pub(super) struct Field<'a> {
    text: &'a str,
    path: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Fields<'a> {
    fn path_of(&self, key: &str) -> String {
        let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_bare = !key.is_empty() && key.chars().all(bare);
        let key = shortened(key);
        let key = if is_bare { key } else { format!("\"{key}\"") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    fn field(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Field<'a> {
        Field { text: self.text, path: self.path_of(key), value }
    }

    pub(super) fn error(&self, at: usize, key: &str, problem: String) -> CatalogError {
        CatalogError::Field { line: line_of(self.text, at), field: self.path_of(key), problem }
    }

    /// What is refused, with the line where it stands.
    pub(super) fn with_line(&self, problem: CatalogError) -> CatalogError {
        let mut table = Some(self.table);
        let mut at = None;
        for key in problem.place().iter().flat_map(|place| place.split('.')) {
            let Some(value) = table.and_then(|table| table.get(key)) else { break };
            at = Some(value.span().start);
            table = value.get_ref().as_table();
        }
        let Some(at) = at else { return problem };
        CatalogError::Content { line: line_of(self.text, at), problem: Box::new(problem) }
    }

    /// Refuses fields that are none, so that a slip of the pen is not silently left out.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), CatalogError> {
        let stray = self.table.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
        let Some(stray) = stray else { return Ok(()) };
        let problem = format!("no such field; there are {}", known.join(", "));
        Err(self.error(stray.span().start, stray.get_ref(), problem))
    }

    pub(super) fn optional(&self, key: &str) -> Option<Field<'a>> {
        self.table.get(key).map(|value| self.field(key, value))
    }

    pub(super) fn required(&self, key: &str) -> Result<Field<'a>, CatalogError> {
        let missing = || self.error(self.at, key, "the field is missing".to_owned());
        self.optional(key).ok_or_else(missing)
    }

    /// Every entry, its key and its value read. Two keys that mean the same are refused.
    pub(super) fn each<K: Ord, V>(
        &self,
        read_key: impl Fn(&str) -> Result<K, String>,
        read: impl Fn(&str, Field<'a>) -> Result<V, CatalogError>,
    ) -> Result<BTreeMap<K, V>, CatalogError> {
        let mut map = BTreeMap::new();
        for (key, value) in self.table {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            let read_key = read_key(key).map_err(|problem| self.error(at, key, problem))?;
            if map.insert(read_key, read(key, self.field(key, value))?).is_some() {
                return Err(self.error(at, key, "stands here twice".to_owned()));
            }
        }
        Ok(map)
    }
}

impl<'a> Field<'a> {
    pub(super) fn error(&self, problem: impl Into<String>) -> CatalogError {
        CatalogError::Field {
            line: line_of(self.text, self.value.span().start),
            field: self.path.clone(),
            problem: problem.into(),
        }
    }

    pub(super) fn table<T>(
        &self,
        read: impl FnOnce(Fields<'_>) -> Result<T, CatalogError>,
    ) -> Result<T, CatalogError> {
        let DeValue::Table(table) = self.value.get_ref() else {
            return Err(self.error("a table is expected"));
        };
        let at = self.value.span().start;
        read(Fields { text: self.text, path: &self.path, at, table })
    }

    pub(super) fn text(&self) -> Result<&'a str, CatalogError> {
        self.value.get_ref().as_str().ok_or_else(|| self.error("a string is expected"))
    }

    pub(super) fn boolean(&self) -> Result<bool, CatalogError> {
        self.value.get_ref().as_bool().ok_or_else(|| self.error("true or false is expected"))
    }

    pub(super) fn integer(&self) -> Result<i32, CatalogError> {
        let problem =
            || self.error(format!("a whole number from {} to {} is expected", i32::MIN, i32::MAX));
        self.whole().and_then(|digits| digits.parse().ok()).ok_or_else(problem)
    }

    pub(super) fn count(&self) -> Result<u32, CatalogError> {
        let problem = || self.error(format!("a whole number from 0 to {} is expected", u32::MAX));
        self.whole().and_then(|digits| digits.parse().ok()).ok_or_else(problem)
    }

    /// The digits of a decimal whole number.
    fn whole(&self) -> Option<&'a str> {
        let integer = self.value.get_ref().as_integer()?;
        (integer.radix() == 10).then(|| integer.as_str())
    }

    /// Digits of a decimal string or a whole number.
    fn decimal(&self) -> Result<&'a str, CatalogError> {
        if let Some(text) = self.value.get_ref().as_str().or_else(|| self.whole()) {
            return Ok(text);
        }
        Err(self.error("a decimal number in quotes is expected, like \"0.99\""))
    }

    pub(super) fn amount(&self) -> Result<Money, CatalogError> {
        Money::parse_decimal(self.decimal()?).map_err(|error| self.error(error.to_string()))
    }

    pub(super) fn units(&self) -> Result<Units, CatalogError> {
        self.thousandths().map(Units::from_thousandths)
    }

    pub(super) fn ratio(&self) -> Result<Ratio, CatalogError> {
        let ratio =
            u32::try_from(self.thousandths()?).ok().and_then(|ratio| Ratio::new(ratio).ok());
        ratio.ok_or_else(|| {
            let max = Units::from_thousandths(RATIO_MAX.into());
            self.error(format!(
                "more than 0, at most {max} is expected; leave a SKU out that is not covered"
            ))
        })
    }

    /// Thousandths of a decimal number that has no finer fraction.
    fn thousandths(&self) -> Result<i64, CatalogError> {
        const MICROS: i64 = MICROS_PER_UNIT / THOUSANDTHS_PER_UNIT;
        let decimal = match Money::parse_decimal(self.decimal()?) {
            Err(error @ MoneyError::TooLarge { .. }) => return Err(self.error(error.to_string())),
            decimal => decimal.ok(),
        };
        let micros = decimal.map(Money::micros).filter(|micros| micros % MICROS == 0);
        let problem =
            "a decimal number is expected, like \"0.5\", with at most 3 digits after the point";
        micros.map(|micros| micros / MICROS).ok_or_else(|| self.error(problem))
    }

    /// An instant, with or without quotes; it must say its offset from UTC.
    pub(super) fn instant(&self) -> Result<Timestamp, CatalogError> {
        let text = match self.value.get_ref() {
            DeValue::Datetime(datetime) => datetime.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        text.parse().map_err(|_| {
            self.error("an instant with offset is expected, like 2027-01-01T00:00:00Z")
        })
    }

    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, CatalogError> {
        let text = self.value.get_ref().as_str();
        let found = words.iter().find(|(word, _)| Some(*word) == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.error(format!("{} is expected", words.join(" or ")))
        })
    }

    pub(super) fn validity(&self) -> Result<Validity, CatalogError> {
        if !matches!(self.value.get_ref(), DeValue::Table(_)) {
            let named = [("calendar_month", Validity::CalendarMonth), ("month", Validity::Month)];
            return self.word(&named).map_err(|_| {
                self.error(
                    "\"calendar_month\", \"month\", { years = 1 } or { days = 30 } is expected",
                )
            });
        }
        self.table(|span| {
            span.only(&["years", "days"])?;
            let years = span.optional("years").map(|field| field.count()).transpose()?;
            let days = span.optional("days").map(|field| field.count()).transpose()?;
            match (years, days) {
                (Some(years), None) => Ok(Validity::Years(years)),
                (None, Some(days)) => Ok(Validity::Days(days)),
                _ => Err(self.error("either years or days is expected")),
            }
        })
    }
}

/// Line of a byte offset, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count().saturating_add(1)
}
