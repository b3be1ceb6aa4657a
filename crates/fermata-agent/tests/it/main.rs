//! Tests of the crate from outside.

#[cfg(test)]
mod any_order;
#[cfg(test)]
mod jobs;
