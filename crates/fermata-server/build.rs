//! Makes a newly built page a reason to build again: the folder is embedded into the program.

fn main() {
    println!("cargo::rerun-if-changed=../../web/meet/dist");
}
