//! `tidegate plugin test`: tries a component, or what a folder builds to, on its examples, and tells of each.

use super::bounds::Bounds;
use super::call::pair;
use super::changes::{Changes, WatchedSources};
use super::source_folder::SourceFolder;
use super::workbench::{ComponentFile, Workbench, block_on};
use crate::cli::compile_cache::CacheFlag;
use crate::cli::output::progress::Stderr;
use crate::plugin::{EXAMPLES_SECTION, Examples, Outcome, custom_section};
use crate::system::output::{note, print, try_print, unless_unread};
use crate::system::shutdown::{Ask, Signals};
use anyhow::{Context, anyhow, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags of `plugin test`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The component, or the folder of a guest, which is built first
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
    /// Examples to try instead of those that the component carries
    #[arg(long, value_name = "FILE")]
    examples: Option<PathBuf>,
    /// A setting that the guest reads through wasi:config/store. Repeatable
    #[arg(long = "setting", value_name = "K=V", value_parser = pair)]
    settings: Vec<(String, String)>,
    #[command(flatten)]
    bounds: Bounds,
    /// Try again whenever the component (or a file of the folder) or the examples change, until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    cache: CacheFlag,
}

impl Test {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let workbench = Workbench::new(self.cache.clone().into(), self.bounds.limits(), None, Stderr::Alone);
        let subject = Subject::of(&self.path)?;
        block_on(async {
            if self.watch {
                return self.keep_trying(&subject, &workbench).await;
            }
            let passed = self.try_once(&subject, &workbench).await?;
            Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }

    /// Whether all examples passed.
    async fn try_once(&self, subject: &Subject, workbench: &Workbench) -> anyhow::Result<bool> {
        let component = subject.component().await?;
        let settings = self.settings.iter().cloned().collect();
        let tested = Tested::of(workbench, &component, settings, self.examples.as_deref()).await?;
        let Some(tested) = tested else {
            bail!(
                "{} carries no examples: put an examples.toml into its folder and build it again, or name one with \
                 --examples",
                self.path.display()
            );
        };
        for outcome in &tested.outcomes {
            print(line(outcome) + "\n")?;
        }
        print(format!("{} passed, {} failed\n", tested.passed(), tested.count - tested.passed()))?;
        Ok(tested.all_passed())
    }

    /// Ends with a signal, or once nobody reads what it says, and then well: there is no other way to end it.
    async fn keep_trying(&self, subject: &Subject, workbench: &Workbench) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::listen().context("listening to signals")?;
        let mut watched = WatchedSources { files: self.examples.iter().cloned().collect(), folder: None };
        match subject {
            Subject::File(component) => watched.files.push(component.path.clone()),
            Subject::Folder(folder) => watched.folder = Some(folder.dir().to_owned()),
        }
        let mut changes = Changes::new(watched)?;
        let rounds = async {
            loop {
                if let Err(error) = self.try_once(subject, workbench).await {
                    note(format_args!("error: {error:#}"));
                }
                try_print("waiting for changes; Ctrl-C ends\n")?;
                changes.next().await;
                try_print("\n")?;
            }
        };
        let ended = tokio::select! {
            ended = rounds => ended,
            () = async { while signals.next().await != Ask::Stop {} } => Ok(()),
        };
        unless_unread(ended)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is tried.
pub(super) enum Subject {
    File(ComponentFile),
    Folder(SourceFolder),
}

impl Subject {
    /// # Errors
    /// When the path can be no plugin's.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(SourceFolder::new(path, None)?));
        }
        Ok(Self::File(ComponentFile::at(path.to_owned())?))
    }

    /// The component, which a folder is built to.
    ///
    /// # Errors
    /// When the folder does not build.
    pub(super) async fn component(&self) -> anyhow::Result<ComponentFile> {
        match self {
            Self::File(component) => Ok(component.clone()),
            Self::Folder(folder) => folder.build().await,
        }
    }
}

/// What came of a component's examples.
pub(super) struct Tested {
    /// How many there are; time may have run out before the last.
    pub(super) count: usize,
    pub(super) outcomes: Vec<Outcome>,
}

impl Tested {
    /// Loads the component and tries it on each example of the file, or on those that it carries, if there are any.
    ///
    /// # Errors
    /// When the component cannot be loaded, or the examples cannot be read.
    pub(super) async fn of(
        workbench: &Workbench,
        component: &ComponentFile,
        settings: BTreeMap<String, String>,
        examples: Option<&Path>,
    ) -> anyhow::Result<Option<Self>> {
        let examples = match examples {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
                Some(Examples::parse(&text).map_err(|error| anyhow!("{}: {error}", path.display()))?)
            }
            None => carried(&component.path)?,
        };
        // Loaded without its examples: here the outcome of each is reported, not only the first that fails.
        let plugin = workbench.load(component, settings, Some(Examples::default())).await?;
        let Some(examples) = examples else { return Ok(None) };
        Ok(Some(Self { count: examples.count(), outcomes: examples.try_on(&plugin).await }))
    }

    pub(super) fn passed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.difference.is_none()).count()
    }

    pub(super) fn all_passed(&self) -> bool {
        self.passed() == self.count
    }
}

/// An example's outcome in one line, and in further ones how it differs.
pub(super) fn line(outcome: &Outcome) -> String {
    match &outcome.difference {
        None => format!("ok      {}", outcome.name),
        Some(difference) => format!("FAILED  {}\n   {difference}", outcome.name),
    }
}

fn carried(file: &Path) -> anyhow::Result<Option<Examples>> {
    let bytes = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let Some(section) = custom_section(&bytes, EXAMPLES_SECTION) else { return Ok(None) };
    let text = std::str::from_utf8(section).context("reading the component's examples")?;
    Examples::parse(text).map(Some).map_err(|error| anyhow!("the component's examples: {error}"))
}
