//! The parameters of actions: their schemas as data, and reading them against a schema.
//!
//! What it is not: relations between parameters (a window's end before its start, a user who is not in the room)
//! are for the handlers.

use std::collections::BTreeMap;

use jiff::civil;

use crate::action::Action;
use crate::code::{ApiError, Code};

mod flat;
mod read;

pub use flat::from_flat;
pub use read::parse;

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number within bounds, both included.
    Integer {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// The same, but written as a text of digits in the vendor's models; a number is read too.
    Digits {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// A text of at most so many bytes.
    Text {
        /// Bytes.
        max_bytes: usize,
    },
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A number with a fraction.
    Double,
    /// Yes or no.
    Bool,
    /// A civil day, `YYYY-MM-DD`.
    Date,
    /// A civil moment, `YYYY-MM-DD hh:mm:ss`; without seconds, as a day or a month it means the beginning.
    DateTime,
    /// A civil month, `YYYY-MM`.
    Month,
    /// A list.
    List {
        /// What it consists of.
        of: &'static Kind,
        /// Most elements.
        max: usize,
    },
    /// An object with fields of its own.
    Object(&'static [Param]),
}

/// A parameter of an action; a row of its schema.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name, as in the vendor's models.
    pub name: &'static str,
    /// The name in the vendor's codes, where it differs (`StartTs` for `StartTime`).
    pub code_name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether a call without it is refused.
    pub required: bool,
    /// What is taken if an integer is left away.
    pub default: Option<i64>,
    /// The code for an integer above its bound, where the vendor has one of its own.
    pub above: Option<Code>,
}

impl Param {
    /// One that must be there.
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, code_name: name, kind, required: true, default: None, above: None }
    }

    /// One that may be left away.
    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, code_name: name, kind, required: false, default: None, above: None }
    }

    /// The same with an integer that is taken if it is left away.
    pub(crate) const fn or(self, default: i64) -> Self {
        Self { default: Some(default), ..self }
    }

    /// The same with a code of its own for what is above the bound.
    pub(crate) const fn above(self, code: Code) -> Self {
        Self { above: Some(code), ..self }
    }

    /// The same with another name in codes.
    pub(crate) const fn coded(self, code_name: &'static str) -> Self {
        Self { code_name, ..self }
    }
}

/// A value that was read against its schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// Of [`Kind::Integer`] and [`Kind::Digits`].
    Integer(i64),
    /// Of [`Kind::Text`] and [`Kind::Word`].
    Text(String),
    /// Of [`Kind::Double`].
    Double(f64),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Date`], and of [`Kind::Month`] its first day.
    Date(civil::Date),
    /// Of [`Kind::DateTime`].
    DateTime(civil::DateTime),
    /// Of [`Kind::List`].
    List(Vec<Given>),
    /// Of [`Kind::Object`].
    Object(Params),
}

/// Parameters that were read against a schema. What is `null` counts as left away.
///
/// Methods named after a type answer `MissingParameter` when the parameter is not there, which after [`parse`] happens
/// to optional ones only; those that begin with `opt_` answer `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    values: BTreeMap<&'static str, Given>,
}

impl Params {
    /// A value, if it is there.
    pub fn get(&self, name: &str) -> Option<&Given> {
        self.values.get(name)
    }

    /// An integer, or its default.
    pub fn opt_int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Given::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    /// An integer of 32 bits without sign.
    pub fn opt_u32(&self, name: &str) -> Option<u32> {
        self.opt_int(name).and_then(|number| u32::try_from(number).ok())
    }

    /// A text.
    pub fn opt_text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Given::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Yes or no.
    pub fn opt_bool(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Given::Bool(yes)) => Some(*yes),
            _ => None,
        }
    }

    /// A number with a fraction.
    pub fn opt_double(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Given::Double(number)) => Some(*number),
            _ => None,
        }
    }

    /// A civil day.
    pub fn opt_date(&self, name: &str) -> Option<civil::Date> {
        match self.get(name) {
            Some(Given::Date(date)) => Some(*date),
            _ => None,
        }
    }

    /// A civil moment.
    pub fn opt_date_time(&self, name: &str) -> Option<civil::DateTime> {
        match self.get(name) {
            Some(Given::DateTime(moment)) => Some(*moment),
            _ => None,
        }
    }

    /// The texts of a list; empty if it is not there.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let texts = self.list(name).iter().filter_map(|given| match given {
            Given::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// The elements of a list; empty if it is not there.
    pub fn list(&self, name: &str) -> &[Given] {
        match self.get(name) {
            Some(Given::List(list)) => list,
            _ => &[],
        }
    }

    /// An object.
    pub fn opt_object(&self, name: &str) -> Option<&Self> {
        match self.get(name) {
            Some(Given::Object(params)) => Some(params),
            _ => None,
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// `MissingParameter` if it is not there.
    pub fn int(&self, name: &str) -> Result<i64, ApiError> {
        self.opt_int(name).ok_or_else(|| missing(name, name))
    }

    /// An integer of 32 bits without sign.
    ///
    /// # Errors
    /// `MissingParameter` if it is not there.
    pub fn u32(&self, name: &str) -> Result<u32, ApiError> {
        self.opt_u32(name).ok_or_else(|| missing(name, name))
    }

    /// A text.
    ///
    /// # Errors
    /// `MissingParameter` if it is not there.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        self.opt_text(name).ok_or_else(|| missing(name, name))
    }

    /// A civil day.
    ///
    /// # Errors
    /// `MissingParameter` if it is not there.
    pub fn date(&self, name: &str) -> Result<civil::Date, ApiError> {
        self.opt_date(name).ok_or_else(|| missing(name, name))
    }

    /// A civil moment.
    ///
    /// # Errors
    /// `MissingParameter` if it is not there.
    pub fn date_time(&self, name: &str) -> Result<civil::DateTime, ApiError> {
        self.opt_date_time(name).ok_or_else(|| missing(name, name))
    }
}

/// The answer to a parameter that is not there.
fn missing(name: &str, code_name: &str) -> ApiError {
    ApiError::new(
        crate::code::of_parameter(Code::MISSING_PARAMETER, code_name),
        format!("The parameter {name} is missing."),
    )
}

/// The schema of an action, by name of the parameter.
pub fn schema(action: &Action) -> &'static [Param] {
    action.params
}

#[cfg(test)]
mod tests;
