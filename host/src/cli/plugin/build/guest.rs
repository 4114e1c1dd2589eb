//! A guest before it is built: which language it is in, as its folder shows.

use super::{c, javascript, python, rust};
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};

/// A folder with a guest's sources.
pub(super) struct Guest {
    pub(super) name: String,
    /// Absolute.
    pub(super) directory: PathBuf,
    language: Language,
}

enum Language {
    Rust,
    Python,
    JavaScript,
    C,
}

impl Guest {
    /// # Errors
    /// When the folder shows no language that guests are built from, or the guest has no name.
    pub(super) fn at(dir: &Path) -> anyhow::Result<Self> {
        let Some(language) = Language::of(dir) else {
            bail!(
                "{} is no guest: it has no {} (Rust), no {} with {} (Python), no {} (JavaScript), no {} (C); \
                 `tidegate plugin new` makes one",
                dir.display(),
                rust::MANIFEST,
                python::REQUIREMENTS,
                python::SOURCE,
                javascript::MANIFEST,
                c::MAKEFILE
            );
        };
        let directory = dir.canonicalize().with_context(|| format!("reading {}", dir.display()))?;
        let name = match language {
            Language::Rust => rust::package_name(&directory)?,
            _ => directory.file_name().context("the root directory is no guest")?.to_string_lossy().into_owned(),
        };
        Ok(Self { name, directory, language })
    }

    /// Runs the tools of its language, whose progress goes to stderr. What they make is a core module or a component.
    ///
    /// # Errors
    /// When a tool is missing or fails.
    pub(super) fn compile(&self) -> anyhow::Result<Vec<u8>> {
        let directory = &self.directory;
        let made = match self.language {
            Language::Rust => rust::compile(&self.name, directory)?,
            Language::C => c::compile(&self.name, directory)?,
            Language::Python => self.made_by(python::compile)?,
            Language::JavaScript => self.made_by(javascript::compile)?,
        };
        std::fs::read(&made).with_context(|| format!("reading {}", made.display()))
    }

    /// Has the component written into the guest's folder for what is built.
    fn made_by(&self, compile: impl FnOnce(&str, &Path, &Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
        let build = self.directory.join("build");
        std::fs::create_dir_all(&build).with_context(|| format!("making {}", build.display()))?;
        let output = build.join("plugin.wasm");
        compile(&self.name, &self.directory, &output)?;
        ensure!(output.is_file(), "{} was not written", output.display());
        Ok(output)
    }
}

impl Language {
    fn of(dir: &Path) -> Option<Self> {
        let has = |name: &str| dir.join(name).is_file();
        if has(rust::MANIFEST) {
            Some(Self::Rust)
        } else if has(python::REQUIREMENTS) && has(python::SOURCE) {
            Some(Self::Python)
        } else if has(javascript::MANIFEST) {
            Some(Self::JavaScript)
        } else if has(c::MAKEFILE) || has_c(dir) {
            Some(Self::C)
        } else {
            None
        }
    }
}

fn has_c(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|extension| extension == "c"))
}
