//! `tidegate dead-letters show`: all of one letter, or just the bytes that were lost.

use super::LetterFiles;
use crate::cli::output::render::{bytes, field, frames, lines, metadata};
use crate::dead_letters::{Base64, Input, Letter};
use crate::system::output::print;
use clap::Args;
use std::process::ExitCode;

/// The flags of `dead-letters show`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The id of the request, as the list and the host's log have it
    id: String,
    #[command(flatten)]
    files: LetterFiles,
    /// Write the bytes of the body, or of the frames one after another, and nothing else
    #[arg(long)]
    raw: bool,
}

impl Show {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let letters = self.files.of(&self.id)?;
        for (index, letter) in letters.iter().enumerate() {
            if self.raw {
                print(raw(&letter.input))?;
            } else {
                let gap = if index > 0 { "\n" } else { "" };
                print(format!("{gap}{}", whole(letter)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn raw(input: &Input) -> Vec<u8> {
    match input {
        Input::Message { body_base64, .. } => body_base64.0.clone(),
        Input::Request { frames_base64, .. } | Input::Reply { frames_base64, .. } => {
            frames_base64.iter().flat_map(|frame| &frame.0).copied().collect()
        }
    }
}

fn whole(letter: &Letter) -> String {
    let Letter { id, time, hop, route, reason, error, by, seed, number, input } = letter;
    let mut text = field("id", id) + &field("time", time) + &field("hop", hop.as_str()) + &field("route", route);
    text += &(field("reason", reason) + &lines("error", error));
    if let Some(by) = by {
        text +=
            &(field("plugin", &format!("{}, generation {}", by.plugin, by.generation)) + &field("digest", &by.digest));
    }
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
        Input::Request { identity_base64, metadata: pairs, frames_base64 } => {
            bytes("identity", &identity_base64.0) + &metadata(pairs) + &numbered(frames_base64)
        }
        Input::Reply { identity_base64, frames_base64 } => {
            bytes("identity", &identity_base64.0) + &numbered(frames_base64)
        }
    }
}
