//! `tidegate dead-letters list`: what was lost, one line each.

use super::source::Source;
use crate::cli::output::render::one_line;
use crate::cli::output::table::table;
use crate::cli::plugin::TOKEN_FILE;
use crate::cli::traffic::ChoiceFlags;
use crate::record::dead_letters::{DealtWith, Filter, Replay, Summary};
use crate::system::output::{note, print};
use clap::Args;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `dead-letters list`.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// Only letters that a replay has dealt with, which are left out otherwise
    #[arg(long, conflicts_with = "all")]
    dealt_with: bool,
    /// Those that a replay has dealt with, too
    #[arg(long)]
    all: bool,
    /// With --admin: the file with the token that the host asks for, the one of its admin.token_file
    #[arg(long, value_name = "FILE", env = TOKEN_FILE)]
    token_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let dealt_with = match (self.dealt_with, self.all) {
            (true, _) => DealtWith::Only,
            (_, true) => DealtWith::All,
            _ => DealtWith::No,
        };
        let (limit, choice) = (self.choice.limit(), self.choice.choice());
        let listed = self.source.list(self.token_file.as_deref(), &Filter { choice, dealt_with }, limit);
        let summaries = match listed {
            // A host in which nothing fails writes no file.
            Err(error) if error.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::NotFound) => {
                note(format_args!("no dead letters: {error}"));
                Vec::new()
            }
            listed => listed?,
        };
        let text = if self.json { serde_json::to_string_pretty(&summaries)? + "\n" } else { shown(summaries) };
        print(text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A table, which speaks of replays where there was one.
fn shown(summaries: Vec<Summary>) -> String {
    if summaries.iter().all(|letter| letter.replay.is_none()) {
        let rows = summaries.into_iter().map(|letter| cells(letter).0).collect();
        return table(["ID", "TIME", "HOP", "ROUTE", "REASON", "PLUGIN", "GENERATION"], rows);
    }
    let rows = summaries.into_iter().map(|letter| {
        let ([id, time, hop, route, reason, plugin, generation], replay) = cells(letter);
        [id, time, hop, route, reason, plugin, generation, replay]
    });
    table(["ID", "TIME", "HOP", "ROUTE", "REASON", "PLUGIN", "GENERATION", "REPLAY"], rows.collect())
}

fn cells(letter: Summary) -> ([String; 7], String) {
    let Summary { id, time, hop, route, reason, plugin, generation, replay, replayed_at } = letter;
    let generation = generation.map_or("-".to_owned(), |generation| generation.to_string());
    let plugin = plugin.unwrap_or_else(|| "-".to_owned());
    let cells = [id, time, hop, route, reason, plugin, generation].map(|text| one_line(&text));
    let replay = replay.map_or("-", Replay::as_str);
    (cells, one_line(&format!("{replay} {}", replayed_at.unwrap_or_default())).trim_end().to_owned())
}
