//! Meetings over bad networks, in simulated time: one who publishes, one behind the bad network, and one behind a good
//! one who should notice nothing.
//!
//! `cargo test -p fermata-sfu --test networks -- --nocapture` prints what each of them got.
//!
//! What it is not: no measurement of real clients; see `tests/e2e/python/networks`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "only tests are here, and the figures are to be seen"
)]

mod matrix;
mod meeting;
mod outcome;
mod scenarios;
#[path = "../support/mod.rs"]
mod support;
mod viewer;
