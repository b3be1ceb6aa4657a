//! Call quality: how samples are kept compactly, what is computed from them, what counts as unusual.
//!
//! - [`BlockBuilder`] packs the samples of one stay into a [`Block`] of a few minutes, [`decode`] unpacks it;
//! - [`series`] turns samples into lines of a chart, with [`Metric`]s and their units;
//! - [`QualityTotals`], [`JoinTotals`] and [`scale`] sum up a period: freeze rates, delay, joins, users, rooms;
//! - [`detect`] finds what was unusual by the one table [`RULES`], [`experiences`] says what may have caused what;
//! - [`UserEvent`] is what a user's list of events shows, and the vendor's numbers for it;
//! - [`limits`] says how long it is kept and how much may be asked for at once.
//!
//! What it is not: no store, no clock, no media, and no usage: a lost sample costs a point in a chart.

mod block;
mod detect;
pub mod limits;
mod rule;
mod scale;
mod series;
mod totals;
mod user_event;
mod varint;

pub use block::{Block, BlockBuilder, BlockError, BlockKey, Pushed, decode};
pub use detect::{Cause, Experience, StayFacts, Unusual, detect, experiences};
pub use rule::{RULES, Rule, Signal, rule};
pub use scale::{Presence, Scale, scale, scale_series};
pub use series::{Direction, Metric, Point, Series, Step, series};
pub use totals::{JoinTotals, QualityTotals, Rate};
pub use user_event::{UserEvent, VendorEvent};
