//! Ours beside str0m's: the same people on the same bad network, once with the real shard between them and once with a
//! plain forwarder on str0m. What receivers get must be the same or better.
//!
//! `cargo test -p fermata-sfu --test differential -- --nocapture` prints both.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "only tests are here, and both are to be seen"
)]

mod client;
mod compare;
mod engine;
mod measure;
mod net;
mod net_tests;
mod ours;
mod outgoing;
mod reference;
mod shape;
#[path = "../support/mod.rs"]
mod support;
mod wire;
mod world;

use fermata_types::Now;
use measure::{CHANGE_GAP_MAX, Outcome};
use ours::Ours;
use reference::Reference;
use shape::{CLEAN, SHAPES, Shape};
use source::FRAME_TIME;
use support::media::{decoder, dice, source};
use world::{Forwarder, World};

const SEEDS: u64 = 24;

fn run(forwarder: &mut dyn Forwarder, start: Now, seed: u64, shape: Shape) -> Outcome {
    let mut world = World::new(forwarder, start.instant, seed, shape);
    world.run();
    let lossless = shape.name == CLEAN.name;
    Outcome::of(&world, if lossless { 1 } else { CHANGE_GAP_MAX })
}

fn check(shape: Shape) {
    let start = Now::read();
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    let mut changes = Vec::new();
    for seed in 0..SEEDS {
        let own = run(&mut Ours::new(start), start, seed, shape);
        let other = run(&mut Reference::new(), start, seed, shape);
        if shape.name == CLEAN.name {
            changes.extend(compare::compare_changes(&own, &other, FRAME_TIME));
        }
        ours.push(own);
        reference.push(other);
    }
    let (table, findings) = compare::compare(shape.name, &ours, &reference);
    println!("{table}");
    assert!(changes.is_empty(), "{changes:#?}");
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn without_loss() {
    check(SHAPES[0]);
}

#[test]
fn loss_of_1_percent() {
    check(SHAPES[1]);
}

#[test]
fn loss_of_5_percent() {
    check(SHAPES[2]);
}

#[test]
fn loss_of_10_percent() {
    check(SHAPES[3]);
}

#[test]
fn packets_that_overtake() {
    check(SHAPES[4]);
}

#[test]
fn bursts_of_loss() {
    check(SHAPES[5]);
}
