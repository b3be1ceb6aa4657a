//! Prepaid minutes: how packages are bought, granted, given back and ended, and in which order they burn.
//!
//! A package covers whole civil days, `from` to `until`. It ends in two moments. At the end of its last day
//! it funds nothing any more (T9). But what it burns on that day is known only once the day has closed, and
//! reports in whatever order must come to the same (P5); so it stays burnable for its days until the close,
//! and only then is what is left posted as expired. Late usage of its days may still burn that rest (T25):
//! the item stays for the late window, and then goes.
//!
//! `settled` counts what closed days have left, and the ledger account of the package is exactly that while it
//! is live. `left` is `settled` less what the open days burn. Of an expired package `left` is nothing and
//! `settled` the expired rest.
//!
//! What it is not: it decides neither how many minutes there are to cover nor who pays for the others
//! ([`crate::metering`]).

mod buy;
mod expiry;
mod grant;
mod order;
mod refund;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use buy::buy;
pub(crate) use expiry::{expire, forfeit_all, rearm};
pub(crate) use grant::grant_free;
pub(crate) use order::Pool;
pub use order::{burn_order, usable};
pub(crate) use refund::refund;
pub(crate) use value::{merge, released};
