//! The store from outside: one suite for every backend, the two backends against each other under
//! random commands, and what must hold when disks, keys, files and processes fail.
//!
//! The modules are marked as test code by hand, because helpers in them are no `#[test]` themselves.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod books;
#[cfg(test)]
mod common;
#[cfg(test)]
mod console;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod credentials;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod suite;
