//! Parameters in form encoding, where everything is text and lists are numbered: `UserIds.0=a&UserIds.1=b`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Kind, Param};
use crate::action::Action;
use crate::code::{ApiError, Code, of_parameter, shown};
use crate::limits::{FLAT_DEPTH_MAX, FLAT_INDEX_MAX};

/// Builds what a JSON body would have been from flat pairs, guided by the schema of the action.
///
/// Parameters of the protocol are to be taken out before; unknown ones come through as texts, so that
/// [`parse`](super::parse) names them, and so do texts that are not of the wanted type.
///
/// # Errors
/// `InvalidParameter` (with the parameter's name behind a dot where the vendor has such a code) for a name that is there
/// twice or in two forms, a list whose index is none, or more than [`FLAT_DEPTH_MAX`] parts.
pub fn from_flat(action: &Action, pairs: &[(String, String)]) -> Result<Value, ApiError> {
    let mut root = Node::Fields(BTreeMap::new());
    for (name, value) in pairs {
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() > FLAT_DEPTH_MAX {
            return Err(bad(parts[0], name, "has too many parts"));
        }
        root.insert(&parts, value)
            .map_err(|()| bad(parts[0], name, "is there twice or in two forms"))?;
    }
    let Node::Fields(fields) = root else { return Ok(Value::Null) };
    object(action.params, fields).map(Value::Object)
}

/// What was collected of a name.
enum Node<'a> {
    Leaf(&'a str),
    Fields(BTreeMap<&'a str, Node<'a>>),
}

impl<'a> Node<'a> {
    fn insert(&mut self, parts: &[&'a str], value: &'a str) -> Result<(), ()> {
        let (Self::Fields(fields), [first, rest @ ..]) = (self, parts) else { return Err(()) };
        if rest.is_empty() {
            return match fields.insert(*first, Node::Leaf(value)) {
                None => Ok(()),
                Some(_) => Err(()),
            };
        }
        fields.entry(*first).or_insert_with(|| Node::Fields(BTreeMap::new())).insert(rest, value)
    }

    /// As JSON of whatever shape it has, for what no schema knows.
    fn plain(self) -> Value {
        match self {
            Self::Leaf(text) => Value::from(text),
            Self::Fields(fields) => Value::Object(
                fields.into_iter().map(|(name, node)| (name.to_owned(), node.plain())).collect(),
            ),
        }
    }
}

fn object(
    schema: &[Param],
    fields: BTreeMap<&str, Node<'_>>,
) -> Result<Map<String, Value>, ApiError> {
    let mut all = Map::new();
    for (name, node) in fields {
        let value = match schema.iter().find(|param| param.name == name) {
            Some(param) => value(&param.kind, param, node)?,
            None => node.plain(),
        };
        all.insert(name.to_owned(), value);
    }
    Ok(all)
}

fn value(kind: &Kind, param: &Param, node: Node<'_>) -> Result<Value, ApiError> {
    Ok(match (kind, node) {
        (Kind::Integer { .. }, Node::Leaf(text)) => {
            // A sign and digits only: everything else stays a text, which is then refused as one.
            let digits = text.strip_prefix('-').unwrap_or(text);
            let whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            whole.then(|| number(text)).flatten().unwrap_or_else(|| Value::from(text))
        }
        (Kind::Double, Node::Leaf(text)) => number(text).unwrap_or_else(|| Value::from(text)),
        (Kind::Bool, Node::Leaf(text)) => match text {
            // SDKs write booleans as their languages do.
            "true" | "True" | "1" => Value::Bool(true),
            "false" | "False" | "0" => Value::Bool(false),
            other => Value::from(other),
        },
        (Kind::List { of, .. }, Node::Fields(fields)) => list(of, param, fields)?,
        (Kind::Object(schema), Node::Fields(fields)) => Value::Object(object(schema, fields)?),
        (_, node) => node.plain(),
    })
}

/// Elements by their index, which may begin anywhere and leave numbers out.
fn list(of: &Kind, param: &Param, fields: BTreeMap<&str, Node<'_>>) -> Result<Value, ApiError> {
    let mut elements = BTreeMap::new();
    for (text, node) in fields {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let index = digits.then(|| text.parse::<usize>().ok()).flatten();
        let Some(index) = index.filter(|index| *index <= FLAT_INDEX_MAX) else {
            let name = format!("{}.{text}", param.name);
            return Err(bad(
                param.name,
                &name,
                &format!("must have a number up to {FLAT_INDEX_MAX} behind its dot"),
            ));
        };
        // `1` and `01` are the same index in two forms.
        if elements.insert(index, value(of, param, node)?).is_some() {
            let name = format!("{}.{index}", param.name);
            return Err(bad(param.name, &name, "is there twice"));
        }
    }
    Ok(Value::Array(elements.into_values().collect()))
}

/// A number as JSON writes it; of `-` and digits also with leading zeros.
fn number(text: &str) -> Option<Value> {
    if let Ok(number) = text.parse::<i64>() {
        return Some(Value::from(number));
    }
    serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number)
}

fn bad(param: &str, name: &str, what: &str) -> ApiError {
    ApiError::new(
        of_parameter(Code::INVALID_PARAMETER, param),
        format!("The parameter {} {what}.", shown(name)),
    )
}
