//! From a row and what was typed to a request.

use std::fmt::Write as _;

use axum::http::Method;
use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::{Map, Value};

use super::call::{Call, Field, Kind, Place, Shows};
use super::client::Ask;

/// Largest file that is read for a request, bytes; what the server takes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The command of a row.
pub(super) fn command(call: &Call, name: &'static str) -> Command {
    let command = Command::new(name)
        .about(call.about)
        .after_help(format!("Asks {} /api/v1{} ({}).", call.method, call.path, call.operation))
        .args(call.fields.iter().map(arg));
    if !call.paged {
        return command;
    }
    command
        .arg(Arg::new("after").long("after").value_name("CURSOR").help("Begin behind this"))
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(number as Parser)
                .help("Items at most, 1 to 1000; 100 if absent"),
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["after", "limit"])
                .help("All parts of the list"),
        )
}

type Parser = fn(&str) -> Result<String, String>;

fn arg(field: &Field) -> Arg {
    let mut arg = Arg::new(field.word).help(field.help).required(field.required);
    if let Some(default) = field.default {
        arg = arg.default_value(default);
    }
    arg = match field.kind {
        Kind::Switch => arg.action(ArgAction::SetTrue),
        // A sum may be negative, and an id may begin with a hyphen.
        Kind::Text => arg.allow_hyphen_values(true).value_parser(ValueParser::string()),
        Kind::Number => arg.value_parser(number as Parser),
        Kind::Bool => arg.value_parser(PossibleValuesParser::new(["true", "false"])),
        Kind::OneOf(values) => arg.value_parser(PossibleValuesParser::new(values)),
        Kind::Json => arg.value_parser(json as Parser),
        Kind::File => arg.value_parser(file as Parser),
        Kind::TextFile => arg.value_parser(text_file as Parser),
    };
    if field.positional {
        return arg;
    }
    if field.kind != Kind::Switch && !matches!(field.kind, Kind::OneOf(_)) {
        let unit = match field.kind {
            Kind::Json => "JSON|@FILE",
            Kind::TextFile => "FILE",
            _ => "VALUE",
        };
        arg = arg.value_name(unit);
    }
    arg.long(field.word)
}

fn number(text: &str) -> Result<String, String> {
    let parsed: Result<u64, _> = text.parse();
    parsed.map(|number| number.to_string()).map_err(|_| "it takes a whole number".to_owned())
}

fn json(text: &str) -> Result<String, String> {
    let text = match text.strip_prefix('@') {
        Some(path) => file(path)?,
        None => text.to_owned(),
    };
    match serde_json::from_str::<Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("it takes JSON ({error})")),
    }
}

fn file(path: &str) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("it has {size} bytes; {FILE_BYTES_MAX} are taken"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The text in a file, without the line break at its end.
fn text_file(path: &str) -> Result<String, String> {
    let text = file(path)?;
    let line =
        text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.to_owned())
}

/// The request, and whether its answer is printed as it comes.
pub(super) fn request(call: &Call, typed: &ArgMatches, after: Option<&str>) -> (Ask, bool) {
    let (mut path, mut query) = (format!("/api/v1{}", call.path), Vec::new());
    let (mut body, mut whole, mut accept) = (Map::new(), None, "application/json");
    let mut as_is = false;
    if let Shows::Text(media_type) = call.shows {
        (accept, as_is) = (media_type, true);
    }
    for field in call.fields {
        let Some(value) = value(field, typed) else { continue };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match field.place {
            Place::Path => path = path.replace(&format!("{{{}}}", field.name), &encoded(&text)),
            Place::Query => query.push((field.name, text)),
            Place::Body => drop(body.insert(field.name.to_owned(), value)),
            Place::Whole(media_type) => whole = Some((media_type, text.into_bytes())),
            Place::Accept(media_type) => (accept, as_is) = (media_type, true),
        }
    }
    if call.paged {
        let typed = |name| typed.get_one::<String>(name).cloned();
        let after = after.map(str::to_owned).or_else(|| typed("after"));
        query.extend(after.map(|after| ("after", after)));
        query.extend(typed("limit").map(|limit| ("limit", limit)));
    }
    for (index, (name, text)) in query.iter().enumerate() {
        let _ = write!(path, "{}{name}={}", if index == 0 { '?' } else { '&' }, encoded(text));
    }
    let has_body = call.fields.iter().any(|field| field.place == Place::Body);
    if has_body {
        whole = Some(("application/json", Value::Object(body).to_string().into_bytes()));
    } else if !call.fixed.is_empty() {
        whole = Some(("application/json", call.fixed.as_bytes().to_vec()));
    }
    let method = Method::from_bytes(call.method.as_bytes()).unwrap_or(Method::GET);
    (Ask { method, path, accept, body: whole }, as_is)
}

fn value(field: &Field, typed: &ArgMatches) -> Option<Value> {
    if field.kind == Kind::Switch {
        return typed.get_flag(field.word).then_some(Value::Bool(true));
    }
    let text = typed.get_one::<String>(field.word)?;
    match field.kind {
        // Checked when it was typed.
        Kind::Number | Kind::Bool | Kind::Json => serde_json::from_str(text).ok(),
        Kind::Text | Kind::OneOf(_) | Kind::File | Kind::TextFile | Kind::Switch => {
            Some(Value::String(text.clone()))
        }
    }
}

/// For a part of a path or query: all but the unreserved characters of RFC 3986 are encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
