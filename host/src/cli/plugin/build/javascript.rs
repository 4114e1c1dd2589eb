//! A guest in JavaScript: a package, of whose main file componentize-js makes a component, run by node.

use super::install::Packages;
use super::tool::{Tool, is_installed, mark_installed, works};
use super::world::{WIT, World};
use crate::system::output::note;
use anyhow::{Context, bail};
use serde_json::Value;
use std::path::Path;

pub(super) const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";
const MODULES: &str = "node_modules";
const SOURCE: &str = "app.js";
const PACKAGES: Packages =
    Packages { debian: "nodejs npm", fedora: "nodejs npm", arch: "nodejs npm", alpine: "nodejs npm", homebrew: "node" };
/// Goes to node as text, so that what a guest imports is looked for from the guest's folder.
const COMPONENTIZE: &str = include_str!("componentize.mjs");

/// Makes the component at `output`.
///
/// # Errors
/// When a tool is missing or fails.
pub(super) fn compile(directory: &Path, output: &Path) -> anyhow::Result<()> {
    let world = World::of(directory)?;
    let manifest = directory.join(MANIFEST);
    let text = std::fs::read(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let package: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", manifest.display()))?;
    install(directory)?;
    // For a guest that is written in another dialect, or in several files that a bundler makes one of.
    if package["scripts"]["build"].is_string() {
        Tool::new("npm", directory, &PACKAGES).args(["run", "--silent", "build"]).run()?;
    }
    let source = package["main"].as_str().unwrap_or(SOURCE);
    Tool::new("node", directory, &PACKAGES)
        .args(["--input-type=module", "--eval", COMPONENTIZE, "--", source, WIT, world.name()])
        .args([output])
        .run()
}

/// Installs what the lock file names, where it is not installed.
fn install(directory: &Path) -> anyhow::Result<()> {
    let (lock, mark) = (directory.join(LOCK), directory.join(MODULES).join(".tidegate-lock"));
    let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--engine-strict"];
    if !lock.is_file() {
        Tool::new("npm", directory, &PACKAGES).args(["install"]).args(quiet).run()?;
    } else if !is_installed(&lock, &mark)? {
        note(format_args!("installing {LOCK} into {}", directory.join(MODULES).display()));
        if let Err(error) = Tool::new("npm", directory, &PACKAGES).args(["ci"]).args(quiet).run() {
            if !works("node", &["--version"]) {
                bail!("node is missing: {PACKAGES}");
            }
            return Err(error).context("installing what a guest in JavaScript is built with");
        }
    }
    if lock.is_file() { mark_installed(&lock, &mark) } else { Ok(()) }
}
