//! Tests of the crate from outside, in one program because linking it takes longer than running it.

#[cfg(test)]
mod access;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod agent;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod billing_api;
#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod catalog_api;
#[cfg(test)]
mod client_paths;
#[cfg(test)]
mod common;
#[cfg(test)]
mod console;
#[cfg(test)]
mod credentials_api;
#[cfg(all(test, target_os = "linux"))]
mod memory;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod operator_api;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod program;
#[cfg(test)]
mod server_api;
#[cfg(test)]
mod signalling;
#[cfg(test)]
mod standing;
#[cfg(test)]
mod standing_api;
#[cfg(test)]
mod tour;
#[cfg(test)]
mod twirp;
