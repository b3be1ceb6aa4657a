//! `fermata tour`: the standing policy told with a real server, real clients and sandbox accounts.
//!
//! Each step says what it asks and what it sees, names the clauses that it shows, and checks them itself, so that the
//! tour is a test, too. What it is not: a proof of the policy; the scenarios of every clause are in the tests.

mod accounts;
mod clearing;
mod opening;
mod people;
mod server;
mod suspension;
mod teller;

use anyhow::Context as _;
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::accounts::Caller;
use self::people::Crowd;
use self::server::OwnServer;
use self::teller::Teller;
use super::admin::client::{Client, loopback_url};
use super::block_on;
use crate::{config, dev};

pub(super) fn build(command: Command) -> Command {
    command
        .about("Tell the standing policy with a development server and real clients")
        .long_about(
            "Tells in under a minute how minutes are paid for and what happens when they are not: free minutes run \
             out, a package is bought, postpaid falls into arrears, a newcomer is refused while those inside go on, \
             a payment brings service back, and a second account is cleared after 60 days. Everything is real \
             but the time, which is that of sandbox accounts.\n\n\
             Without --server it starts a server of its own on loopback, in a temporary folder, and stops it at \
             the end. With --server it takes a running `fermata serve --dev` and leaves two sandbox accounts in \
             it to look at.\n\n\
             Every step checks what it shows. Status 0: all was as told; 1: something differed.",
        )
        .arg(
            Arg::new("server")
                .long("server")
                .value_name("URL")
                .value_parser(loopback_url as fn(&str) -> Result<String, String>)
                .help("A running development server on this machine; without it, one is started"),
        )
        .arg(Arg::new("token").long("token").value_name("TOKEN").help(
            "An operator's token; the variable FERMATA_TOKEN does the same. Default: that of development mode",
        ))
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print a line of JSON for each step"),
        )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let named = matches.get_one::<String>("server").cloned();
    let token = matches.get_one::<String>("token").cloned().or_else(config::token);
    let teller = Teller::new(matches.get_flag("json"));
    block_on(async {
        // Interrupted, it still stops the server it started and removes its folder.
        tokio::select! {
            told = Box::pin(tour(named, token, teller)) => told,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        }
    })
}

async fn tour(
    named: Option<String>,
    token: Option<String>,
    mut teller: Teller,
) -> anyhow::Result<()> {
    // A server of its own knows no other token.
    let token = token.filter(|_| named.is_some());
    let token = token.as_deref().unwrap_or(dev::OPERATOR_TOKENS[0]);
    let (own, address) = if let Some(address) = named {
        (None, address)
    } else {
        let own = OwnServer::start().await.context("no server could be started")?;
        let address = own.http().to_owned();
        (Some(own), address)
    };
    let client = Client::new(&address, token, None)?;
    teller.opening(&address, own.is_some())?;
    let crowd = Crowd::new(&address);
    let told = Box::pin(tell(&client, &crowd, &mut teller)).await;
    if let Err(error) = &told {
        teller.broken(error)?;
    }
    teller.closing(&address, own.is_some())?;
    if let Some(own) = own {
        own.stop().await;
    }
    if told.is_err() {
        // What differed was told; here it only becomes the status.
        anyhow::bail!("the tour did not see what it tells");
    }
    Ok(())
}

/// The story, in its order.
async fn tell(client: &Client, crowd: &Crowd, teller: &mut Teller) -> anyhow::Result<()> {
    let mut caller = Caller::new(client, teller);
    let told = Box::pin(opening::told(&mut caller, crowd)).await?;
    Box::pin(suspension::told(&mut caller, crowd, told)).await?;
    clearing::told(&mut caller, crowd).await
}
