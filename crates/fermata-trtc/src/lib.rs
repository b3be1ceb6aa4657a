//! The vendor's server API as data: actions and their operation classes, parameters, envelope, error codes.
//!
//! A request goes through it in this order: [`action::find`], [`rate::RateLimiter::take`],
//! [`param::from_flat`] where parameters came in form encoding, [`param::parse`], [`room_id`], and the answer
//! through [`envelope`]. The guide's page about it is made by [`page`].
//!
//! What it is not: no HTTP, no signature (that is `fermata-auth`), no store, no live room.
//!
//! **Invariant:** what an action is called, what it takes and what its class is stands once, in the tables of `actions`.

pub mod action;
mod actions;
pub mod code;
pub mod envelope;
pub mod limits;
pub mod page;
pub mod param;
pub mod rate;
pub mod room_id;

pub use action::{Action, Service, Status};
pub use code::{ApiError, Code, Language};
pub use param::Params;
pub use rate::RateLimiter;
