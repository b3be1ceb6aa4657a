//! `fermata openapi`: the operator API's OpenAPI document.

use clap::{ArgMatches, Command};

use super::print;
use crate::v1::openapi_json;

pub(super) fn build(command: Command) -> Command {
    command.about("Print the OpenAPI document of the operator API (JSON)")
}

pub(super) fn run(_matches: &ArgMatches) -> anyhow::Result<()> {
    print(&openapi_json())
}
