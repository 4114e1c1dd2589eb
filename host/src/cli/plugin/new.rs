//! `tidegate plugin new`: a folder with all that a plugin starts with, in the language of its author.

mod template;

use crate::system::output::{note, print};
use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The flags of `plugin new`.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The plugin's name
    name: String,
    /// The language it is written in
    #[arg(long)]
    lang: Language,
    /// What it serves
    #[arg(long, default_value = "processor")]
    role: Role,
    /// The folder to make [default: NAME]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Overwrite what is there without asking
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    Python,
    // Not the `java-script` that would be made of it.
    #[value(name = "javascript")]
    JavaScript,
    #[value(name = "typescript")]
    TypeScript,
    C,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    Processor,
    ReplyPolicy,
    /// Of wasi:http; in Rust alone
    HttpHandler,
    /// Of version 0.1.0 of the contract, which nothing new is written for
    #[value(hide = true)]
    Transform,
}

impl New {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { name, lang, role, dir, force } = self;
        crate::config::check_name(&name).map_err(anyhow::Error::msg)?;
        ensure!(
            lang != Language::Rust || !name.starts_with(|letter: char| letter.is_ascii_digit()),
            "no crate may be named `{name}`, with a digit first: put a letter before it"
        );
        ensure!(
            role != Role::Transform,
            "--role transform is of version 0.1.0 of the contract, whose components still load: take --role processor, which \
             gives any number of messages for one"
        );
        ensure!(
            lang == Language::Rust || role != Role::HttpHandler,
            "--role http-handler is for --lang rust: build a handler in another language with the tools that it has for \
             wasi:http, and load the component as it is"
        );
        let dir = dir.unwrap_or_else(|| PathBuf::from(&name));
        let files = template::files(lang, role, &name);
        let there = files.iter().filter(|(path, content)| is_other(&dir.join(path), content));
        let there: Vec<&str> = there.map(|(path, _)| *path).collect();
        if !there.is_empty() && !force && !may_overwrite(&dir, &there)? {
            note(format_args!("{} stays as it is", dir.display()));
            return Ok(ExitCode::FAILURE);
        }
        for (path, content) in &files {
            write(&dir.join(path), content)?;
        }
        for (path, _) in files.iter().filter(|(path, _)| !path.starts_with("wit/deps/")) {
            print(format!("{}\n", dir.join(path).display()))?;
        }
        let build = format!("tidegate plugin build {}", dir.display());
        match template::built_name(lang, &name, &dir) {
            Some(built) => {
                print(format!("next: {build} && tidegate plugin test {}\n", dir.with_file_name(built).display()))?;
            }
            None => print(format!("next: {build}\n"))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether something is there, if only a link that leads nowhere, that does not hold this already.
fn is_other(path: &Path, content: &str) -> bool {
    path.symlink_metadata().is_ok() && std::fs::read(path).ok().as_deref() != Some(content.as_bytes())
}

/// Asks, where somebody can answer.
fn may_overwrite(dir: &Path, there: &[&str]) -> anyhow::Result<bool> {
    let files = there.join(", ");
    if !std::io::stdin().is_terminal() {
        bail!(
            "{} has another {files} already: say --force to overwrite, or name another folder with --dir",
            dir.display()
        );
    }
    // Whoever sees no question gives no answer either.
    let _ = write!(std::io::stderr(), "{} has another {files} already. Overwrite? [y/N] ", dir.display());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("reading the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn write(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
