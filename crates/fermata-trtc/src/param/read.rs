//! Reading JSON against a schema.

use jiff::civil;
use serde_json::{Map, Number, Value};

use super::{Given, Kind, Param, Params, missing};
use crate::action::Action;
use crate::code::{ApiError, Code, of_parameter, shown};

/// Reads the parameters of an action from the JSON of its body; `null` counts as an empty object.
///
/// # Errors
/// `MissingParameter`, `InvalidParameter`, `InvalidParameterValue` (each with the parameter's name behind a dot
/// where the vendor has such a code), `UnknownParameter`; `InvalidRequest` if it is no object.
pub fn parse(action: &Action, body: Value) -> Result<Params, ApiError> {
    match body {
        Value::Null => object(action.params, "", Map::new()),
        Value::Object(fields) => object(action.params, "", fields),
        other => Err(ApiError::new(
            Code::INVALID_REQUEST,
            format!("The parameters are {}; they must be a JSON object.", described(&other)),
        )),
    }
}

/// Reads the fields of an object; `path` is what stands before their names.
fn object(
    schema: &'static [Param],
    path: &str,
    mut fields: Map<String, Value>,
) -> Result<Params, ApiError> {
    let mut params = Params::default();
    for param in schema {
        let at = Place { param, path: format!("{path}{}", param.name) };
        match fields.remove(param.name) {
            None | Some(Value::Null) => match param.default {
                Some(number) => {
                    params.values.insert(param.name, Given::Integer(number));
                }
                None if param.required => return Err(missing(&at.path, param.code_name)),
                None => {}
            },
            Some(value) => {
                let given = at.read(&param.kind, value)?;
                params.values.insert(param.name, given);
            }
        }
    }
    match fields.keys().next() {
        Some(unknown) => Err(unknown_parameter(schema, path, unknown)),
        None => Ok(params),
    }
}

fn unknown_parameter(schema: &[Param], path: &str, unknown: &str) -> ApiError {
    let names: Vec<&str> = schema.iter().map(|param| param.name).collect();
    let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
    ApiError::new(
        Code::UNKNOWN_PARAMETER,
        format!("The parameter {path}{} is not known; known are: {known}.", shown(unknown)),
    )
}

/// Where a value stands, for messages and codes.
struct Place<'a> {
    param: &'a Param,
    path: String,
}

impl Place<'_> {
    fn read(&self, kind: &'static Kind, value: Value) -> Result<Given, ApiError> {
        match (kind, value) {
            (Kind::Integer { min, max } | Kind::Digits { min, max }, Value::Number(number)) => {
                self.number(&number, *min, *max)
            }
            (Kind::Digits { min, max }, Value::String(text)) => {
                let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                if !digits {
                    return Err(self.wrong_form(&text, "must be a text of digits"));
                }
                self.integer(text.parse().ok(), &text, *min, *max)
            }
            (Kind::Text { max_bytes }, Value::String(text)) => self.text(text, *max_bytes),
            (Kind::Word(words), Value::String(text)) => {
                if words.contains(&text.as_str()) {
                    return Ok(Given::Text(text));
                }
                Err(self.not_allowed(
                    &format!("{:?}", shown(&text)),
                    &format!("must be one of {}", words.join(", ")),
                ))
            }
            (Kind::Double, Value::Number(number)) => {
                let double = number.as_f64().filter(|double| double.is_finite());
                double
                    .map(Given::Double)
                    .ok_or_else(|| self.wrong_type(kind, &Value::Number(number)))
            }
            (Kind::Bool, Value::Bool(yes)) => Ok(Given::Bool(yes)),
            (Kind::Date, Value::String(text)) => date(&text)
                .map(Given::Date)
                .ok_or_else(|| self.wrong_form(&text, "must be a day, YYYY-MM-DD")),
            (Kind::DateTime, Value::String(text)) => date_time(&text)
                .map(Given::DateTime)
                .ok_or_else(|| self.wrong_form(&text, "must be a moment, YYYY-MM-DD hh:mm:ss")),
            (Kind::Month, Value::String(text)) => month(&text)
                .map(Given::Date)
                .ok_or_else(|| self.wrong_form(&text, "must be a month, YYYY-MM")),
            (Kind::List { of, max }, Value::Array(values)) => self.list(of, values, *max),
            (Kind::Object(schema), Value::Object(fields)) => {
                object(schema, &format!("{}.", self.path), fields).map(Given::Object)
            }
            (kind, value) => Err(self.wrong_type(kind, &value)),
        }
    }

    /// A number of JSON, whatever its size.
    fn number(&self, number: &Number, min: i64, max: i64) -> Result<Given, ApiError> {
        /// 2^63: doubles from here on are whole numbers that do not fit into 64 bits.
        const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;
        let huge = number.as_f64().is_some_and(|double| double.abs() >= TOO_LARGE);
        if number.is_f64() && !huge {
            return Err(self.invalid(format!("{} is {number}; it must be an integer.", self.path)));
        }
        self.integer(number.as_i64(), &number.to_string(), min, max)
    }

    /// A whole number as it was written; none if it does not fit into 64 bits.
    fn integer(
        &self,
        number: Option<i64>,
        written: &str,
        min: i64,
        max: i64,
    ) -> Result<Given, ApiError> {
        if let Some(number) = number.filter(|number| (min..=max).contains(number)) {
            return Ok(Given::Integer(number));
        }
        let mut error =
            self.not_allowed(&shown(written), &format!("must be within {min} and {max}"));
        let above = number.map_or(!written.starts_with('-'), |number| number > max);
        if let (true, Some(code)) = (above, self.param.above) {
            error.code = code;
        }
        Err(error)
    }

    fn text(&self, text: String, max_bytes: usize) -> Result<Given, ApiError> {
        if text.len() > max_bytes {
            return Err(self.not_allowed(
                &format!("{:?} with {} bytes", shown(&text), text.len()),
                &format!("may have {max_bytes} bytes"),
            ));
        }
        // Optional texts that clients fill with nothing are taken as they are.
        if text.is_empty() && self.param.required {
            return Err(self.not_allowed("an empty text", "must have at least one character"));
        }
        Ok(Given::Text(text))
    }

    fn list(&self, of: &'static Kind, values: Vec<Value>, max: usize) -> Result<Given, ApiError> {
        if values.len() > max {
            return Err(self.not_allowed(
                &format!("a list of {}", values.len()),
                &format!("may have {max} elements"),
            ));
        }
        if values.is_empty() && self.param.required {
            return Err(self.not_allowed("an empty list", "must have at least one element"));
        }
        let element = |(index, value)| {
            Place { param: self.param, path: format!("{}.{index}", self.path) }.read(of, value)
        };
        values.into_iter().enumerate().map(element).collect::<Result<_, _>>().map(Given::List)
    }

    /// Another type than the schema has.
    fn wrong_type(&self, kind: &Kind, value: &Value) -> ApiError {
        self.invalid(format!(
            "{} is {}; it must be {}.",
            self.path,
            described(value),
            expected(kind)
        ))
    }

    /// A text of another form than the schema has.
    fn wrong_form(&self, text: &str, rule: &str) -> ApiError {
        self.invalid(format!("{} is {:?}; it {rule}.", self.path, shown(text)))
    }

    fn invalid(&self, message: String) -> ApiError {
        ApiError::new(of_parameter(Code::INVALID_PARAMETER, self.param.code_name), message)
    }

    /// A value of the right type that is not allowed.
    ///
    /// The vendor has `InvalidParameterValue.<name>` for few names; for others the code of the wrong type
    /// is nearer to what clients know than the bare family.
    fn not_allowed(&self, given: &str, rule: &str) -> ApiError {
        let name = self.param.code_name;
        let value = of_parameter(Code::INVALID_PARAMETER_VALUE, name);
        let code = if value == Code::INVALID_PARAMETER_VALUE {
            let named = of_parameter(Code::INVALID_PARAMETER, name);
            if named == Code::INVALID_PARAMETER { value } else { named }
        } else {
            value
        };
        ApiError::new(code, format!("{} is {given}; it {rule}.", self.path))
    }
}

/// What a value is, without what stands in it.
fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// What a kind wants, in words.
fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Integer { min, max } => format!("an integer within {min} and {max}"),
        Kind::Digits { .. } => "a text of digits".to_owned(),
        Kind::Text { .. } => "a string".to_owned(),
        Kind::Word(words) => format!("one of {}", words.join(", ")),
        Kind::Double => "a number".to_owned(),
        Kind::Bool => "a boolean".to_owned(),
        Kind::Date => "a day, YYYY-MM-DD".to_owned(),
        Kind::DateTime => "a moment, YYYY-MM-DD hh:mm:ss".to_owned(),
        Kind::Month => "a month, YYYY-MM".to_owned(),
        Kind::List { max, .. } => format!("a list of at most {max}"),
        Kind::Object(_) => "an object".to_owned(),
    }
}

/// Numbers in a text that looks like `pattern`, where `0` stands for a digit and all else for itself.
fn numbers(text: &str, pattern: &str) -> Option<Vec<i16>> {
    let fits = text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(given, wanted)| match wanted {
            b'0' => given.is_ascii_digit(),
            other => given == other,
        });
    let digits = |part: &str| part.parse().ok();
    fits.then(|| text.split(|c: char| !c.is_ascii_digit()).map(digits).collect())?
}

fn date(text: &str) -> Option<civil::Date> {
    let parts = numbers(text, "0000-00-00")?;
    civil::Date::new(parts[0], i8::try_from(parts[1]).ok()?, i8::try_from(parts[2]).ok()?).ok()
}

fn month(text: &str) -> Option<civil::Date> {
    let parts = numbers(text, "0000-00")?;
    civil::Date::new(parts[0], i8::try_from(parts[1]).ok()?, 1).ok()
}

fn date_time(text: &str) -> Option<civil::DateTime> {
    if let Some(day) = date(text).or_else(|| month(text)) {
        return Some(day.to_datetime(civil::Time::midnight()));
    }
    let (day, time) = text.split_once(' ')?;
    let parts = numbers(time, "00:00:00").or_else(|| numbers(time, "00:00"))?;
    let part = |at: usize| i8::try_from(parts.get(at).copied().unwrap_or(0)).ok();
    let time = civil::Time::new(part(0)?, part(1)?, part(2)?, 0).ok()?;
    Some(date(day)?.to_datetime(time))
}
