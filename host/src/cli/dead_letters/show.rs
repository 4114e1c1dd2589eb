//! `tidegate dead-letters show`: all of one letter, or just the bytes that were lost.

use super::source::Source;
use crate::cli::output::render::{bytes, field, frames, lines, metadata};
use crate::cli::plugin::TOKEN_FILE;
use crate::cli::traffic::ChoiceFlags;
use crate::record::dead_letters::{Base64, Filter, Input, Letter};
use crate::system::output::print;
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `dead-letters show`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The id of the request, as the list and the host's log have it; without it all letters are shown that the flags
    /// choose and no replay has dealt with
    #[arg(conflicts_with = "choice")]
    id: Option<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// Write the bytes of the body, or of the frames one after another, and nothing else
    #[arg(long)]
    raw: bool,
    /// With --admin: the file with the token that the host asks for, the one of its admin.token_file
    #[arg(long, value_name = "FILE", env = TOKEN_FILE)]
    token_file: Option<PathBuf>,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (raw, token_file) = (self.raw, self.token_file.as_deref());
        let mut shown = 0;
        let mut show = |letter: &Letter| {
            shown += 1;
            match raw {
                true => print(raw_bytes(&letter.input)),
                false => print(format!("{}{}", if shown > 1 { "\n" } else { "" }, whole(letter))),
            }
        };
        if let Some(id) = &self.id {
            self.source.of(token_file, id)?.iter().try_for_each(show)?;
            return Ok(ExitCode::SUCCESS);
        }
        let (limit, choice) = (self.choice.limit(), self.choice.choice());
        let chosen = self.source.list(token_file, &Filter { choice, ..Filter::default() }, limit)?;
        let mut ids = BTreeSet::new();
        let chosen: Vec<_> = chosen.into_iter().filter(|letter| ids.insert(letter.id.clone())).collect();
        if self.source.admin.is_some() {
            for letter in &chosen {
                self.source.of(token_file, &letter.id)?.iter().try_for_each(&mut show)?;
            }
        } else {
            let mut written = Ok(());
            self.source.each(
                |id| ids.contains(id),
                |letter| {
                    if written.is_ok() {
                        written = show(&letter);
                    }
                },
            )?;
            written?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn raw_bytes(input: &Input) -> Vec<u8> {
    match input {
        Input::Message { body_base64, .. } => body_base64.0.clone(),
        Input::Frames { frames_base64, .. }
        | Input::Request { frames_base64, .. }
        | Input::Reply { frames_base64, .. } => frames_base64.iter().flat_map(|frame| &frame.0).copied().collect(),
    }
}

fn whole(letter: &Letter) -> String {
    let Letter { id, time, hop, route, reason, error, by, met, seed, number, input } = letter;
    let mut text = field("id", id) + &field("time", time) + &field("hop", hop.as_str()) + &field("route", route);
    text += &(field("reason", reason) + &lines("error", error));
    if let Some(by) = by {
        text +=
            &(field("plugin", &format!("{}, generation {}", by.plugin, by.generation)) + &field("digest", &by.digest));
    }
    text += &met.as_deref().map(|met| field("met", met)).unwrap_or_default();
    let fixed = if seed.fixed { "set by the user" } else { "of that run" };
    text += &format!("seed: {}, {fixed}\nnumber: {number}\n", seed.value);
    text + &contents(input)
}

fn contents(input: &Input) -> String {
    let numbered = |list: &[Base64]| frames(list.iter().map(|frame| &frame.0));
    match input {
        Input::Message { topic, metadata: pairs, body_base64 } => {
            let topic = if topic.is_empty() { String::new() } else { field("topic", topic) };
            topic + &metadata(pairs) + &bytes("body", &body_base64.0)
        }
        Input::Frames { metadata: pairs, frames_base64 } => metadata(pairs) + &numbered(frames_base64),
        Input::Request { identity_base64, metadata: pairs, frames_base64 } => {
            bytes("identity", &identity_base64.0) + &metadata(pairs) + &numbered(frames_base64)
        }
        Input::Reply { identity_base64, frames_base64 } => {
            bytes("identity", &identity_base64.0) + &numbered(frames_base64)
        }
    }
}
