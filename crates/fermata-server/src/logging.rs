//! Logs: to standard error, text for people on a terminal, JSON otherwise.

use std::io::IsTerminal as _;

use crate::config::{LogFormat, Settings};

/// Starts logging. A second call does nothing.
pub fn start(settings: &Settings) {
    let json = match settings.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(settings.log.filter())
        .with_writer(std::io::stderr)
        .with_ansi(!json && std::io::stderr().is_terminal());
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}
