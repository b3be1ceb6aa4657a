//! Tests of the crate from outside, in one program because linking it takes longer than running it.

#[cfg(test)]
mod client_paths;
#[cfg(test)]
mod common;
#[cfg(test)]
mod operator_api;
#[cfg(test)]
mod program;
#[cfg(test)]
mod signalling;
