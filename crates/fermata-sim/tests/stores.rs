//! The same worlds on the books of both stores.

use fermata_sim::{Backend, Options, Polling, run_on};

/// Small worlds: every call of SQLite waits for the disk.
fn options(seed: u64, days: u32) -> Options {
    let polling = if seed.is_multiple_of(2) { Polling::Exact } else { Polling::Random };
    Options { polling, accounts: 3, days, ..Options::default() }
}

#[test]
fn p21_the_memory_store_agrees_with_the_oracle() {
    for seed in 1..7 {
        if let Err(found) = run_on(seed, &options(seed, 60), Backend::Memory) {
            panic!("seed {seed}: {}", found.problem);
        }
    }
}

#[test]
fn p20_p21_sqlite_agrees_with_the_oracle_also_when_the_process_dies() {
    for seed in 1..3 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        if let Err(found) = run_on(seed, &options(seed, 25), Backend::Sqlite(&path)) {
            panic!("seed {seed}: {}", found.problem);
        }
    }
}
