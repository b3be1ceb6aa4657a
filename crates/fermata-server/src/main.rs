//! The `fermata` program; see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    fermata_server::command::main(std::env::args_os())
}
