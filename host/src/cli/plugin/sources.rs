//! The digest of a guest's sources, which its component carries, so that a stale component can be told.

use crate::plugin::{custom_section, hex};
use anyhow::{Context, bail};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The custom section of a component that holds the digest.
pub const SECTION: &str = "tidegate:sources";

/// What of a package goes into its component; tests and notes do not.
const PARTS: [&str; 5] = ["Cargo.toml", "build.rs", "examples.toml", "src", "wit"];
/// What of the workspace does.
const WORKSPACE_PARTS: [&str; 3] = ["Cargo.toml", "Cargo.lock", ".cargo/config.toml"];

/// What of a folder that is no crate does not: what was installed or made there, and notes. Hidden names neither.
const NO_PARTS: [&str; 5] = ["README.md", "__pycache__", "bindings", "build", "node_modules"];

/// SHA-256 in hexadecimal over all that determines a guest's component. Of a crate: its own sources and those of the
/// packages that it uses by path, the workspace's manifest, lock file and settings, and the WIT files next to or above
/// it. In other languages: what stands in the guest's folder.
///
/// # Errors
/// When cargo cannot describe the crate, or a file cannot be read.
pub fn source_digest(directory: &Path) -> anyhow::Result<String> {
    let directory = directory.canonicalize().with_context(|| format!("reading {}", directory.display()))?;
    if directory.join("Cargo.toml").is_file() {
        let (files, root) = of_crate(&directory)?;
        return digest_of(files, &root);
    }
    digest_of(of_folder(&directory)?, &directory)
}

/// As [`source_digest`], of a folder that is no crate, over what its language's tools see: not its examples.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn compiled_digest(directory: &Path) -> anyhow::Result<String> {
    let mut files = of_folder(directory)?;
    files.remove(&directory.join("examples.toml"));
    digest_of(files, directory)
}

fn of_folder(directory: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    collect(directory, &|name| name.starts_with('.') || NO_PARTS.contains(&name), &mut files)?;
    Ok(files)
}

fn digest_of(files: BTreeSet<PathBuf>, root: &Path) -> anyhow::Result<String> {
    let mut digest = Sha256::new();
    for file in files {
        let content = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let path = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        digest.update(path.as_bytes());
        digest.update([0]);
        digest.update((content.len() as u64).to_be_bytes());
        digest.update(&content);
    }
    Ok(hex(&digest.finalize()))
}

/// The files that determine a crate's component, and the directory from which their paths are seen.
fn of_crate(directory: &Path) -> anyhow::Result<(BTreeSet<PathBuf>, PathBuf)> {
    let metadata = metadata(directory)?;
    let workspace = PathBuf::from(metadata["workspace_root"].as_str().context("cargo names no workspace")?);
    let all = &|_: &str| false;

    let mut files = BTreeSet::new();
    for package in packages(&metadata, directory) {
        for part in PARTS {
            collect(&package.join(part), all, &mut files)?;
        }
    }
    for part in WORKSPACE_PARTS {
        collect(&workspace.join(part), all, &mut files)?;
    }
    if let Some(wit) = directory.ancestors().map(|ancestor| ancestor.join("wit")).find(|wit| wit.is_dir()) {
        collect(&wit, all, &mut files)?;
    }

    // Paths as seen from the nearest folder that holds all of them, so that the digest is the same on any machine.
    let mut root = workspace.as_path();
    while let Some(above) = root.parent()
        && !files.iter().all(|file| file.starts_with(root))
    {
        root = above;
    }
    let root = root.to_owned();
    Ok((files, root))
}

/// The digest that a component carries.
pub fn embedded_digest(component: &[u8]) -> Option<String> {
    custom_section(component, SECTION).map(|data| String::from_utf8_lossy(data).into_owned())
}

/// What cargo knows of the crate's workspace, without asking a registry.
///
/// # Errors
/// When cargo cannot be run, or cannot describe the workspace.
pub(super) fn metadata(directory: &Path) -> anyhow::Result<Value> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
        .current_dir(directory)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .context("starting cargo: install Rust, or name cargo in $CARGO")?;
    if !output.status.success() {
        bail!("{}: {}", directory.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("reading what cargo says of the crate")
}

/// The crate's directory and those of the workspace's packages that it uses, directly or not.
fn packages(metadata: &Value, directory: &Path) -> BTreeSet<PathBuf> {
    let known = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = BTreeSet::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let manifest = next.join("Cargo.toml");
        if !found.insert(next) {
            continue;
        }
        let package = known.iter().find(|package| package["manifest_path"] == *manifest.to_string_lossy());
        let dependencies = package.and_then(|package| package["dependencies"].as_array());
        let paths = dependencies.into_iter().flatten().filter_map(|dependency| dependency["path"].as_str());
        open.extend(paths.map(PathBuf::from));
    }
    found
}

/// All files at or below a path but those that are left out by their names; none if there is nothing.
fn collect(path: &Path, is_left_out: &dyn Fn(&str) -> bool, files: &mut BTreeSet<PathBuf>) -> anyhow::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            let entry = entry?;
            if !is_left_out(&entry.file_name().to_string_lossy()) {
                collect(&entry.path(), is_left_out, files)?;
            }
        }
    } else if path.is_file() {
        files.insert(path.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_changes_with_the_sources_alone() {
        let root = tempfile::tempdir().unwrap();
        let guest = root.path().join("plugins/guest");
        let write = |path: &Path, content: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        write(&root.path().join("plugins/Cargo.toml"), "[workspace]\nmembers = ['guest', 'shared']\nresolver = '3'");
        write(&guest.join("Cargo.toml"), "[package]\nname = 'guest'\n[dependencies]\nshared = { path = '../shared' }");
        write(&guest.join("src/lib.rs"), "");
        let shared = root.path().join("plugins/shared/src/lib.rs");
        write(&root.path().join("plugins/shared/Cargo.toml"), "[package]\nname = 'shared'");
        write(&shared, "");
        let wit = root.path().join("wit/a.wit");
        write(&wit, "");

        let first = source_digest(&guest).unwrap();
        assert_eq!(first.len(), 64);
        write(&guest.join("target/x"), "built");
        write(&guest.join("README.md"), "told");
        assert_eq!(source_digest(&guest).unwrap(), first);
        for changed in [shared, wit, guest.join("src/lib.rs"), guest.join("src/new.rs")] {
            let before = source_digest(&guest).unwrap();
            write(&changed, "// changed");
            assert_ne!(source_digest(&guest).unwrap(), before, "{}", changed.display());
        }
    }

    #[test]
    fn the_digest_is_the_same_wherever_the_tree_stands() {
        let at = |above: &str| {
            let root = tempfile::tempdir().unwrap();
            let tree = root.path().join(above);
            let parts = [
                ("tests/guests/guest/Cargo.toml", "[workspace]\n[package]\nname = 'guest'"),
                ("tests/guests/guest/src/lib.rs", ""),
                ("wit/a.wit", ""),
            ];
            for (part, content) in parts {
                let path = tree.join(part);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, content).unwrap();
            }
            source_digest(&tree.join("tests/guests/guest")).unwrap()
        };
        assert_eq!(at("here"), at("some/where/else"));
    }

    #[test]
    fn without_a_crate_the_whole_folder_counts_but_what_is_made_there() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| {
            let path = root.path().join("guest").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        };
        let digest = || source_digest(&root.path().join("guest")).unwrap();
        write("app.py", "");
        let first = digest();
        for made in
            [".venv/bin/python", "node_modules/a/index.js", "build/plugin.wasm", "bindings/plugin.h", "README.md"]
        {
            write(made, "made");
            assert_eq!(digest(), first, "{made}");
        }
        let compiled = compiled_digest(&root.path().join("guest")).unwrap();
        write("examples.toml", "");
        assert_ne!(digest(), first);
        assert_eq!(compiled_digest(&root.path().join("guest")).unwrap(), compiled);
        for changed in ["app.py", "requirements.txt", "wit/world.wit", "parts/more.py"] {
            let before = digest();
            write(changed, "changed");
            assert_ne!(digest(), before, "{changed}");
        }
    }
}
