//! `tidegate man`: a manual page for every command.

use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the manual pages into a directory, one a command, tidegate.1 first of all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory for the pages, such as ~/.local/share/man/man1; it is made if needed
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pages; those of the same names are overwritten.
///
/// # Errors
/// When the directory or a page in it cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let directory = args.directory;
    let failed = || format!("writing manual pages to {}", directory.display());
    std::fs::create_dir_all(&directory).with_context(failed)?;
    clap_mangen::generate_to(super::command(), &directory).with_context(failed)?;
    Ok(ExitCode::SUCCESS)
}
