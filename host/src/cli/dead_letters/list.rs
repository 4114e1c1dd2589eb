//! `tidegate dead-letters list`: what was lost, one line each.

use super::LetterFiles;
use crate::cli::output::render::one_line;
use crate::cli::output::table::table;
use crate::dead_letters::{Letter, LetterHop};
use crate::system::output::{note, print};
use clap::Args;
use serde::Serialize;
use std::io::ErrorKind;
use std::process::ExitCode;

/// The flags of `dead-letters list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    files: LetterFiles,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A letter without what was lost.
#[derive(Serialize)]
struct Row {
    id: String,
    time: String,
    hop: LetterHop,
    route: String,
    reason: String,
    plugin: Option<String>,
    generation: Option<u64>,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut rows = Vec::new();
        match self.files.read(|letter| rows.push(Row::from(letter))) {
            // A host in which nothing fails writes no file.
            Err(error) if error.kind() == ErrorKind::NotFound => note(format_args!("no dead letters: {error}")),
            read => read?,
        }
        if self.json {
            print(serde_json::to_string_pretty(&rows)? + "\n")?;
        } else {
            let rows = rows.into_iter().map(Row::cells).collect();
            print(table(["ID", "TIME", "HOP", "ROUTE", "REASON", "PLUGIN", "GENERATION"], rows))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl From<Letter> for Row {
    fn from(letter: Letter) -> Self {
        let Letter { id, time, hop, route, reason, by, .. } = letter;
        let (plugin, generation) = by.map(|by| (by.plugin, by.generation)).unzip();
        Self { id, time, hop, route, reason, plugin, generation }
    }
}

impl Row {
    fn cells(self) -> [String; 7] {
        let generation = self.generation.map_or("-".to_owned(), |generation| generation.to_string());
        let plugin = self.plugin.unwrap_or_else(|| "-".to_owned());
        let hop = self.hop.as_str().to_owned();
        [self.id, self.time, hop, self.route, self.reason, plugin, generation].map(|text| one_line(&text))
    }
}
