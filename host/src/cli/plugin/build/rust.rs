//! A guest in Rust: a crate, which cargo builds into a core module.

use super::super::sources;
use anyhow::{Context, bail};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(super) const MANIFEST: &str = "Cargo.toml";
const DEFAULT_TARGET: &str = "wasm32-unknown-unknown";
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
        match missing_target(&target, directory) {
            Some(remedy) => {
                bail!("building {name} for {target}: the target's standard library is missing\n{remedy}")
            }
            None => bail!("building {name} for {target} failed; cargo's message above says why"),
        }
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

/// What to do when the compiler lacks the target; none if that is not what is wrong.
fn missing_target(target: &str, directory: &Path) -> Option<String> {
    if std::env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some() {
        return None;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let asked = Command::new(rustc)
        .current_dir(directory)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .ok()?;
    let library = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    (!library.is_dir()).then(|| {
        format!(
            "run `rustup target add {target}`; with a compiler that is not rustup's, install the source of its \
             standard library and set RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort"
        )
    })
}
