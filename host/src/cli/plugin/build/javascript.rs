//! A guest in JavaScript or TypeScript: a package, of whose main file componentize-js makes a component, run by node.

use super::entry::Entry;
use super::install::Packages;
use super::made::{component_of, write_bindings};
use super::tool::{Tool, is_installed, mark_installed, printed, works};
use super::world::{WIT, World};
use crate::system::output::note;
use anyhow::{Context, bail};
use serde_json::Value;
use std::path::Path;

pub(super) const MANIFEST: &str = "package.json";
const LOCK: &str = "package-lock.json";
const MODULES: &str = "node_modules";
/// What npm writes of what it has installed.
const INSTALLED: &str = "node_modules/.package-lock.json";
/// What componentize-js comes with, and what writes the types of a world.
const JCO: &str = "node_modules/@bytecodealliance/jco/src/jco.js";
const SOURCE: &str = "app.js";
const PACKAGES: Packages =
    Packages { debian: "nodejs npm", fedora: "nodejs npm", arch: "nodejs npm", alpine: "nodejs npm", homebrew: "node" };
/// Goes to node as text, so that what a guest imports is looked for from the guest's folder.
const COMPONENTIZE: &str = include_str!("componentize.mjs");

/// Makes the component at `output`, unless what is there was made of the same.
///
/// # Errors
/// When a tool is missing or fails.
pub(super) fn compile(name: &str, directory: &Path, output: &Path) -> anyhow::Result<()> {
    let world = World::of(directory)?;
    let manifest = directory.join(MANIFEST);
    let text = std::fs::read(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let package: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", manifest.display()))?;
    install(directory)?;
    let tools = tools(directory);
    if directory.join(JCO).is_file() {
        write_bindings(directory, tools.as_deref(), |bindings| {
            Tool::new("node", directory, &PACKAGES)
                .args([JCO, "guest-types", WIT, "--quiet", "--world-name", world.name(), "--out-dir", bindings])
                .run()
        })?;
    }
    // For a guest that is written in another dialect, or in several files that a bundler makes one of.
    if let Some(build) = package["scripts"]["build"].as_str() {
        note(format_args!("building {name} with `{build}`"));
        Tool::new("npm", directory, &PACKAGES).args(["run", "--silent", "build"]).run()?;
    }
    let source = package["main"].as_str().unwrap_or(SOURCE).trim_start_matches("./");
    let main = directory.join(source);
    // What a bundler made may hold more than what stands in this folder.
    let code = std::fs::read_to_string(&main).with_context(|| format!("reading {}", main.display()))?;

    let entry = Entry::in_javascript(&world, source);
    let parts = [tools.as_deref().unwrap_or_default(), COMPONENTIZE, &entry.text(), &code];
    let made = component_of(directory, output, &parts)?;
    if tools.is_some() && made.is_there() {
        note(format_args!("{name} is built of these sources and tools already"));
        return Ok(());
    }
    made.forget()?;
    note(format_args!("building {name} with componentize-js"));
    Tool::new("node", directory, &PACKAGES)
        .args(["--input-type=module", "--eval", COMPONENTIZE, "--", source, WIT, world.name()])
        .args([entry.write(directory)?.as_path(), output])
        .run()?;
    made.remember()
}

/// Installs what the lock file names, where it is not installed.
fn install(directory: &Path) -> anyhow::Result<()> {
    let (lock, mark) = (directory.join(LOCK), directory.join(MODULES).join(".tidegate-lock"));
    let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--engine-strict"];
    if !lock.is_file() {
        note(format_args!("installing what {MANIFEST} names into {}", directory.join(MODULES).display()));
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

/// Which node there is and what is installed, with versions. None where some of it is used from the folder that its author works
/// in, whose changes show in no version.
fn tools(directory: &Path) -> Option<String> {
    let node = printed("node", directory, &["--version"])?;
    let installed = std::fs::read_to_string(directory.join(INSTALLED)).ok()?;
    (!installed.contains("\"link\": true")).then(|| format!("node {node}\n{installed}"))
}
