//! The build script of every guest: an 8 KiB stack, so that stack, data and arena fit into one page of memory.
//!
//! It stands here and not in a `.cargo/config.toml`, which cargo looks for from the caller's directory, nor in the
//! builder, which does not know how much stack somebody else's guest needs. The linker puts the stack below the static
//! data, so that an overflow runs off the start of the memory, which is a trap.

fn main() {
    println!("cargo::rerun-if-changed=../arena/src/link.rs");
    // The native linker of `cargo test` has another idea of stacks.
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=8192");
        println!("cargo::rustc-link-arg-cdylib=--stack-first");
    }
}
