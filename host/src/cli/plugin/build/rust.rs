//! A guest in Rust: a crate, which cargo builds into a core module.

use super::super::sources;
use super::install::Packages;
use super::tool::{printed, works};
use crate::system::output::note;
use anyhow::{Context, bail};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const MANIFEST: &str = "Cargo.toml";
const DEFAULT_TARGET: &str = "wasm32-unknown-unknown";
/// What has the standard library of [`DEFAULT_TARGET`] where rustup is not used. Debian's compiler for WebAssembly has its source.
const PACKAGES: Packages = Packages {
    debian: "rustc-web rust-web-src rust-web-llvm lld-22",
    fedora: "rust-std-static-wasm32-unknown-unknown",
    arch: "rust-wasm",
    alpine: "rust-wasm",
    homebrew: "rustup",
};
/// Has Debian's compiler build that library with the guest.
const FROM_SOURCE: &str = "RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort";
/// Vector instructions, which every engine of today runs and no target has by default: a guest without them takes many
/// times as long over a large body. Flags that the crate or the environment sets win.
const FLAGS: &str = r#"build.rustflags=["-Ctarget-feature=+simd128"]"#;

/// The name of the crate in `directory`, as cargo tells it; that asks no registry.
///
/// # Errors
/// When cargo cannot describe the crate.
pub(super) fn package_name(directory: &Path) -> anyhow::Result<String> {
    let metadata = sources::metadata(directory)?;
    let manifest = directory.join(MANIFEST);
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(package) = packages.iter().find(|package| package["manifest_path"] == *manifest.to_string_lossy()) else {
        bail!("{} holds no package: name the directory of one guest", directory.display());
    };
    let is_cdylib = |target: &Value| {
        target["crate_types"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "cdylib"))
    };
    if !package["targets"].as_array().is_some_and(|targets| targets.iter().any(is_cdylib)) {
        bail!("{} builds no module: add to it\n\n[lib]\ncrate-type = [\"cdylib\"]\n", manifest.display());
    }
    Ok(package["name"].as_str().unwrap_or_default().to_owned())
}

/// Runs cargo, whose progress goes to stderr, and returns the module it made.
///
/// # Errors
/// When cargo fails, or names no module that it made.
pub(super) fn compile(name: &str, directory: &Path) -> anyhow::Result<PathBuf> {
    let target = std::env::var("CARGO_BUILD_TARGET").unwrap_or_else(|_| DEFAULT_TARGET.to_owned());
    // Asked before cargo compiles the dependencies: it would say so, and less well, after half a minute.
    if let Some(remedy) = missing_target(&target, directory) {
        bail!("{name} cannot be built for {target}, whose standard library is missing: {remedy}");
    }
    note(format_args!("building {name} with cargo for {target}"));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    // From inside the crate, so that a .cargo/config.toml beside or above it holds, wherever the user stands.
    let output = cargo
        .current_dir(directory)
        .args(["build", "--release", "--lib", "--message-format=json-render-diagnostics", "--target", &target])
        .args(["--config", FLAGS])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo: install Rust, or name cargo in $CARGO")?;
    if !output.status.success() {
        bail!("building {name} for {target} failed; cargo's message above says why");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let manifest = directory.join(MANIFEST);
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["manifest_path"] == *manifest.to_string_lossy())
        .find_map(|message| {
            let mut files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
            files.find(|file| file.ends_with(".wasm")).map(PathBuf::from)
        })
        .with_context(|| format!("building {name} for {target} made no .wasm file"))
}

/// What to do when the compiler lacks the target; none if it has it, builds it with the guest, or cannot be asked.
fn missing_target(target: &str, directory: &Path) -> Option<String> {
    if std::env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some() || is_configured(directory, "build-std") {
        return None;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let library = printed(&rustc, directory, &["--print", "target-libdir", "--target", target])?;
    if Path::new(&library).is_dir() {
        return None;
    }
    let add = format!("run `rustup target add {target}`");
    // In the crate's folder, whose toolchain may be one of its own.
    let is_rustups = std::env::var_os("RUSTC").is_none() && works("rustup", &["--version"]);
    if target != DEFAULT_TARGET {
        return Some(add);
    }
    let mut packages = PACKAGES.to_string();
    if packages.contains("apt-get") {
        packages += &format!(" and then `{FROM_SOURCE} tidegate plugin build {}`", directory.display());
    }
    Some(match (is_rustups, packages.starts_with("run ")) {
        (true, true) => format!("{add}; where rustup cannot fetch that, {packages}"),
        (true, false) => add,
        (false, true) => packages,
        (false, false) => format!("install rustup, and {add}"),
    })
}

/// Whether one of cargo's settings that hold in the crate's folder names a key.
fn is_configured(directory: &Path, key: &str) -> bool {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let folders = directory.ancestors().map(|ancestor| ancestor.join(".cargo")).chain(home);
    let mut files = folders.flat_map(|folder| [folder.join("config.toml"), folder.join("config")]);
    files.any(|file| std::fs::read_to_string(file).is_ok_and(|settings| settings.contains(key)))
}
