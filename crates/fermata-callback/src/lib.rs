//! Events of rooms in the vendor's form and in `LiveKit`'s, their signatures, and when they are sent and sent again.
//!
//! - [`follow`]: which tracks a room has, so that every start has one stop.
//! - [`vendor`]: callbacks as the vendor's clients know them, signed by [`sign`].
//! - [`webhook`]: webhooks as `LiveKit`'s SDKs read them (their signature is a token of `fermata-auth`).
//! - [`event_id`]: names of events that stay.
//! - [`schedule`]: whose turn it is, when it is tried again, and how much may wait.
//!
//! What it is not: no HTTP, no store, no clock.
//!
//! **Invariant:** of one receiver and room nothing is tried before all that came earlier was delivered or given up.

pub mod event_id;
pub mod follow;
pub mod limits;
pub mod schedule;
pub mod sign;
pub mod vendor;
pub mod webhook;

#[cfg(test)]
mod samples;
