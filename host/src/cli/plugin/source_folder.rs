//! A guest's folder, built again and again into a temporary directory, where no host finds what has not been tried.

use super::build::build;
use super::workbench::ComponentFile;
use crate::config::check_name;
use anyhow::{Context, anyhow, ensure};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A guest's folder, and the directory that its component is built into.
pub(super) struct SourceFolder {
    dir: PathBuf,
    name: String,
    output: TempDir,
}

impl SourceFolder {
    /// The plugin's name is that of the folder, unless it is given another one.
    ///
    /// # Errors
    /// When the folder is not there, its name cannot be that of a plugin, or no temporary directory can be made.
    pub(super) fn new(dir: &Path, name: Option<String>) -> anyhow::Result<Self> {
        ensure!(dir.is_dir(), "{} is no folder: name the one that holds the guest's sources", dir.display());
        let dir = dir.canonicalize().with_context(|| format!("reading {}", dir.display()))?;
        let folder = || dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.unwrap_or_else(folder);
        check_name(&name).map_err(anyhow::Error::msg)?;
        let output = tempfile::tempdir().context("making a directory for what is built")?;
        Ok(Self { dir, name, output })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A path beside the component that no build writes to.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.output.path().join(name)
    }

    /// Builds it, and tells where the component is.
    ///
    /// # Errors
    /// When the guest does not build.
    pub(super) async fn build(&self) -> anyhow::Result<ComponentFile> {
        let (dir, component) = (self.dir.clone(), self.output.path().join(format!("{}.wasm", self.name)));
        let built = tokio::task::spawn_blocking(move || build(&dir, Some(&component))).await;
        let path = built.unwrap_or_else(|panic| Err(anyhow!("building panicked: {panic}")))?;
        Ok(ComponentFile { name: self.name.clone(), path })
    }
}
