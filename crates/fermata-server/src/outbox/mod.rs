//! Notices on their way to people: what the books put into the outbox is carried to webhooks and mailboxes.
//!
//! - [`deliver`] claims, retries, gives up.
//! - [`webhook`] sends signed requests; [`address`] says where they may go.
//! - [`mail`] speaks SMTP.
//!
//! What it is not: it decides nothing about who is told what; that is in the books, and a notice counts as
//! sent when it is in the outbox (policy A28). Delivery is at least once, with an id that stays the same.

pub mod address;
pub mod deliver;
pub mod mail;
pub mod webhook;
