//! `fermata admin`: the calls of the operator API on the command line, with tables for people and JSON for programs.
//!
//! Everything follows from the rows of [`calls`]: commands, help, requests and what is shown.
//! What it is not: it knows no rules. What may be done is for the server to say, and its words are shown.

mod call;
mod calls;
pub(super) mod client;
mod request;
mod shown;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;

use self::call::{Call, Shows};
use self::calls::{CALLS, NOUNS};
use self::client::{Answer, Client};
use super::{block_on, print};
use crate::limits::CLIENT_ITEMS_MAX;
use crate::{config, dev};

/// Names of the options that all commands have; with a dot, so that they cannot be a field's.
const SERVER: &str = "admin.server";
const TOKEN: &str = "admin.token";
const AUTHORITIES: &str = "admin.ca";
const JSON: &str = "admin.json";

pub(super) fn build(command: Command) -> Command {
    let mut command = command
        .about("Ask a running server: accounts, money, standing, rooms")
        .long_about(
            "Asks the operator API of a running server. The token comes from --token or the variable \
             FERMATA_TOKEN; without either, that of development mode is tried on a loopback address.\n\n\
             Times are UTC. --json prints answers as they come. \
             Status 0: done; 1: refused or failed, and the message says why; 2: the command line cannot be used.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .args(global());
    let mut nouns: Vec<&str> = Vec::new();
    for call in CALLS {
        let Some(noun) = call.words.first().copied().filter(|noun| !nouns.contains(noun)) else {
            continue;
        };
        nouns.push(noun);
        command = command.subcommand(noun_command(noun));
    }
    command
}

/// A noun with its verbs, or a call that needs none.
fn noun_command(noun: &'static str) -> Command {
    let about = NOUNS.iter().find(|(name, _)| *name == noun).map_or("", |(_, about)| *about);
    let mut command =
        Command::new(noun).about(about).subcommand_required(true).arg_required_else_help(true);
    for call in CALLS.iter().filter(|call| call.words.first() == Some(&noun)) {
        match call.words.get(1) {
            Some(verb) => command = command.subcommand(request::command(call, verb)),
            None => return request::command(call, noun),
        }
    }
    command
}

fn global() -> [Arg; 4] {
    [
        Arg::new(SERVER)
            .long("server")
            .value_name("URL")
            .default_value("http://127.0.0.1:7880")
            .value_parser(client::server_url as fn(&str) -> Result<String, String>)
            .global(true)
            .help("The server"),
        Arg::new(TOKEN)
            .long("token")
            .value_name("TOKEN")
            .global(true)
            .help("Token of the operator, a partner or a customer"),
        Arg::new(AUTHORITIES)
            .long("ca-file")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .global(true)
            .help("Certificates (PEM) to trust for https:// instead of the public ones"),
        Arg::new(JSON)
            .long("json")
            .action(ArgAction::SetTrue)
            .global(true)
            .help("Print answers as JSON, as they come"),
    ]
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let (call, typed) = typed(matches).context("there is no such command")?;
    let text = |name: &str| typed.get_one::<String>(name).cloned();
    let server = text(SERVER).unwrap_or_default();
    let authorities = typed.get_one::<PathBuf>(AUTHORITIES).map(PathBuf::as_path);
    let token = text(TOKEN).or_else(config::token).unwrap_or_default();
    let mut client = Client::new(&server, &token, authorities)?;
    if token.is_empty() {
        if !client.is_loopback() {
            bail!("a token is needed: --token, or the variable FERMATA_TOKEN");
        }
        client = client.with_token(dev::OPERATOR_TOKENS[0]);
    }
    let json = typed.get_flag(JSON);
    block_on(async {
        if call.paged && typed.get_flag("all") {
            all(&client, call, typed, json).await
        } else {
            one(&client, call, typed, json).await
        }
    })
}

/// Which row was typed, and what behind it.
fn typed(matches: &ArgMatches) -> Option<(&'static Call, &ArgMatches)> {
    let (noun, behind) = matches.subcommand()?;
    let row = |words: &[&str]| CALLS.iter().find(|call| call.words == words);
    match behind.subcommand() {
        Some((verb, typed)) => Some((row(&[noun, verb])?, typed)),
        None => Some((row(&[noun])?, behind)),
    }
}

async fn one(client: &Client, call: &Call, typed: &ArgMatches, json: bool) -> anyhow::Result<()> {
    let (ask, as_is) = request::request(call, typed, None);
    let answer = accepted(client.ask(&ask).await?, json)?;
    if json || as_is {
        return print(&terminated(&answer.text));
    }
    let value = answer.json();
    print(&shown(call, &value))?;
    if let Some(next) = value["next"].as_str() {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "There is more: --after {}, or --all.", shown::clean(next));
    }
    Ok(())
}

/// Follows a list to its end.
async fn all(client: &Client, call: &Call, typed: &ArgMatches, json: bool) -> anyhow::Result<()> {
    let (mut items, mut after) = (Vec::new(), None);
    let mut last;
    loop {
        let (ask, _) = request::request(call, typed, after.as_deref());
        last = accepted(client.ask(&ask).await?, json)?.json();
        items.extend(last["items"].as_array().cloned().unwrap_or_default());
        after = last["next"].as_str().map(str::to_owned);
        if after.is_none() || items.len() >= CLIENT_ITEMS_MAX {
            break;
        }
    }
    last["items"] = Value::Array(items);
    if json {
        print(&format!("{last}\n"))?;
    } else {
        print(&shown(call, &last))?;
    }
    match after {
        Some(after) => bail!("more than {CLIENT_ITEMS_MAX} items; go on with --after {after}"),
        None => Ok(()),
    }
}

/// What people see of an answer.
fn shown(call: &Call, value: &Value) -> String {
    match call.shows {
        _ if value.is_null() => "Done.\n".to_owned(),
        Shows::Record | Shows::Text(_) => shown::record(value),
        Shows::Table(list, columns) => {
            let items = value[list].as_array().cloned().unwrap_or_default();
            // What stands beside the list is worth a line, such as the switch of the sweep.
            let beside = value.as_object().into_iter().flatten().filter(|(name, value)| {
                list == "items" && *name != "items" && *name != "next" && !value.is_null()
            });
            let mut text = String::new();
            for (name, value) in beside {
                let _ = writeln!(text, "{name}: {value}");
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text + &shown::table(&items, columns)
        }
    }
}

/// The answer, if it is one of success.
///
/// # Errors
/// The server's message, with what can be done about it. Programs get the answer on standard output all the same.
fn accepted(answer: Answer, json: bool) -> anyhow::Result<Answer> {
    if answer.is_success() {
        return Ok(answer);
    }
    if json {
        print(&terminated(&answer.text))?;
    }
    let body = answer.json();
    let error = &body["error"];
    let Some(message) = error["message"].as_str() else {
        bail!("the server answered with status {}: {}", answer.status, shown::clean(&answer.text));
    };
    let code = error["code"].as_str().unwrap_or_default();
    let mut text =
        format!("{} ({}, status {})", shown::clean(message), shown::clean(code), answer.status);
    for reason in error["reasons"].as_array().into_iter().flatten() {
        let part = |field: &str| shown::clean(reason[field].as_str().unwrap_or_default());
        let clauses = reason["clauses"].as_array().into_iter().flatten();
        let clauses: Vec<_> = clauses.filter_map(Value::as_str).map(shown::clean).collect();
        let _ = write!(
            text,
            "\n  {} since {}: {} [{}]",
            part("kind"),
            part("since"),
            part("remedy"),
            clauses.join(" ")
        );
    }
    bail!(text)
}

fn terminated(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

#[cfg(test)]
mod tests;
