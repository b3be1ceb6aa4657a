//! What the fuzzers kept, run again: each file of a corpus through its target.

use std::fs;
use std::path::Path;

/// Where the corpora are: a folder a target.
fn corpora() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"))
}

#[test]
fn every_target_takes_its_corpus() {
    for (name, target) in fermata_fuzz::TARGETS {
        let folder = corpora().join(name);
        let mut files = 0;
        for entry in fs::read_dir(&folder).expect("each target has a corpus") {
            let path = entry.expect("a folder can be listed").path();
            target(&fs::read(&path).expect("a corpus holds files"));
            files += 1;
        }
        assert!(files > 0, "the corpus {} is empty", folder.display());
    }
}

#[test]
fn every_corpus_and_every_fuzzer_has_a_target() {
    let fuzzers = corpora().with_file_name("fuzz_targets");
    for folder in [corpora(), &fuzzers] {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("a folder can be listed").path();
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a plain name");
            let known = fermata_fuzz::TARGETS.iter().any(|(known, _)| *known == name);
            assert!(known, "{} belongs to no target", path.display());
        }
    }
    for (name, _) in fermata_fuzz::TARGETS {
        assert!(fuzzers.join(format!("{name}.rs")).exists(), "{name} has no fuzzer");
    }
}
