//! How much one connection may send towards its receiver: congestion control on transport-wide feedback, after
//! draft-ietf-rmcat-gcc-02 ("GCC") with the later ideas of libwebrtc; pure.
//!
//! What it is: one [`Controller`] for each connection. It is told what was sent ([`Controller::on_sent`]), what the
//! receiver says became of it ([`Controller::on_feedback`]) and what the receiver could use
//! ([`Controller::set_wanted`]); it answers with a rate ([`Controller::target_bps`]) and asks for short bursts to find
//! a higher one ([`Controller::poll_probe`]).
//! [`Share`] divides that rate among several videos.
//! What it is not: no pacer, no knowledge of layers, no feedback on the wire, no clock. Nothing is allocated, ever.
//!
//! Three estimates, of which the lowest counts: delays that grow (`groups`, `trend`, `aimd`, `queue`), loss beyond
//! what the path loses anyway (`loss`), and the receiver's own (REMB). Times of the controller are microseconds of one
//! clock of the caller; times of arrival are of another clock, and only their differences are used.
//!
//! ```
//! use fermata_bwe::{Config, Controller, Outcome};
//!
//! let config = Config { start_bps: 300_000, min_bps: 50_000, max_bps: 10_000_000 };
//! let mut controller = Controller::new(config);
//! controller.set_wanted(0, 2_000_000);
//! controller.on_sent(1_000, 1_200);
//! let arrived_us = Some(7_777_000);
//! let outcome = Outcome { sent_us: 1_000, len_bytes: 1_200, arrived_us, probe: None };
//! controller.on_feedback(60_000, &[outcome], Some(40_000));
//! assert_eq!(controller.target_bps(), 300_000);
//! let probe = controller.poll_probe(60_000).expect("more is wanted");
//! assert_eq!(probe.rate_bps, 900_000);
//! ```
//!
//! Invariant: whatever a receiver says, the target stays between the least and the greatest rate of the
//! configuration, nothing panics, and nothing grows.

mod acked;
mod aimd;
mod controller;
mod groups;
mod limits;
mod loss;
mod num;
mod probe;
mod queue;
mod sent;
mod share;
mod trend;
mod types;

pub use controller::Controller;
pub use limits::STEPS_MAX;
pub use probe::Probe;
pub use share::{Share, Wish};
pub use types::{Config, Limit, Outcome, State};
