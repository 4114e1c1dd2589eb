//! A guest in C: sources that its Makefile compiles with the bindings of its world, which are written here.
//!
//! At each build, and not once by `plugin new`: so they follow the world when its author adds to it, and are nothing
//! that anybody has to keep.

use super::install::Packages;
use super::tool::{Tool, works};
use super::world::World;
use crate::system::output::note;
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use wit_bindgen_c::Opts;
use wit_bindgen_core::Files;

pub(super) const MAKEFILE: &str = "Makefile";
const BINDINGS: &str = "bindings";
/// What they are named after, whatever the world is called: a Makefile names them.
const NAME: &str = "plugin";
/// What a Makefile makes.
const MODULE: &str = "build/plugin.wasm";
const PACKAGES: Packages = Packages {
    debian: "clang lld wasi-libc libclang-rt-dev-wasm32 make",
    fedora: "clang lld wasi-libc-devel compiler-rt make",
    arch: "clang lld wasi-libc wasi-compiler-rt make",
    alpine: "clang lld wasi-libc wasi-compiler-rt make",
    homebrew: "llvm lld wasi-libc wasi-runtimes make",
};
/// Links nothing but the C library and what the compiler adds to it, and so fails where any of them is missing.
const PROBE: [&str; 7] =
    ["--target=wasm32-wasi", "-mexec-model=reactor", "--include=stdlib.h", "-xc", "/dev/null", "-o", "/dev/null"];

/// Writes the bindings, runs make and returns the core module that it made.
///
/// # Errors
/// When a tool is missing or fails.
pub(super) fn compile(name: &str, directory: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        directory.join(MAKEFILE).is_file(),
        "{} has C in it and no {MAKEFILE}: take that of `tidegate plugin new --lang c`, which makes {MODULE}",
        directory.display()
    );
    write_bindings(directory)?;
    note(format_args!("building {name} with make"));
    if let Err(error) = Tool::new("make", directory, &PACKAGES).run() {
        if !works("clang", &PROBE) {
            bail!("clang, its linker for WebAssembly or the C library is missing: {PACKAGES}");
        }
        return Err(error);
    }
    let module = directory.join(MODULE);
    ensure!(module.is_file(), "{MAKEFILE} made no {MODULE}: that is what is looked for");
    Ok(module)
}

/// Writes what differs from what is there, so that make sees what changed.
fn write_bindings(directory: &Path) -> anyhow::Result<()> {
    let World { mut resolve, id } = World::of(directory)?;
    let mut files = Files::default();
    let options = Opts { rename_world: Some(NAME.to_owned()), ..Opts::default() };
    options.build().generate(&mut resolve, id, &mut files).context("writing the bindings of its world")?;
    let bindings = directory.join(BINDINGS);
    std::fs::create_dir_all(&bindings).with_context(|| format!("making {}", bindings.display()))?;
    for (name, content) in files.iter() {
        let path = bindings.join(name);
        if std::fs::read(&path).is_ok_and(|there| there == content) {
            continue;
        }
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
