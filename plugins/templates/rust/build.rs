//! Asks the linker for an 8 KiB stack, so that stack, data and arena fit into the one page that an instance begins with.
//!
//! The stack lies below the static data: an overflow runs off the start of the memory, which is a trap. A plugin that
//! needs a deeper one takes a larger number here, and costs a little more per call.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // The native linker of `cargo test` has another idea of stacks.
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=8192");
        println!("cargo::rustc-link-arg-cdylib=--stack-first");
    }
}
