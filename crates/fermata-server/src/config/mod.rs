//! Configuration: one table of keys ([`KEYS`]), four layers (flag, environment, file, default), one
//! typed result ([`Settings`]).
//!
//! From the table come the flags and their help, the names in the environment and in the file, what
//! `fermata config` prints, and the page `docs/guide/configuration.md`. This is the only place of the
//! program that reads the environment.

mod error;
mod key;
mod layers;
mod page;
mod settings;
mod smtp;
mod value;
mod variables;

pub use error::ConfigError;
pub use key::{KEYS, Key, Kind, key};
pub use layers::{Effective, Layers, Source};
pub use page::{markdown, table};
pub use settings::{LogFormat, Settings};
pub use smtp::{SmtpUrl, TlsMode};
pub use value::{Cidr, LogLevel};
pub use variables::token;

/// Flags of a server that takes free ports, so that it stands beside others: of tests, of the tour, of measurements.
pub const FREE_PORTS: [&str; 8] =
    ["--http-port", "0", "--udp-port", "0", "--tcp-port", "0", "--turn-port", "0"];
