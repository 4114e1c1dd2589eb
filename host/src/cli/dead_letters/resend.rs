//! One letter of the file sent again, with its marks: before that it is begun, after that it is sent or failed.

use super::send::{self, Answered, SendError};
use crate::config::timeout;
use crate::messaging::check_peer;
use crate::record::dead_letters::{Input, Letter, Mark, Replay};
use crate::system::output::note;
use anyhow::anyhow;
use clap::Args;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The flags that say where letters are sent to.
#[derive(Debug, Args)]
pub(super) struct Destination {
    /// Where a message is sent to
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5000")]
    http: String,
    /// The file with the token that the host's HTTP surface asks for; with --admin, its admin surface, whose
    /// token's file TIDEGATE_ADMIN_TOKEN_FILE names too
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Where a request is sent to
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:5570", value_parser = peer)]
    frontend: String,
    /// How long to wait for each reply to a request, such as 500ms, 5s or 2m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,
}

impl Destination {
    fn send(&self, letter: &Letter) -> Result<Answered, SendError> {
        if let Some(flow) = letter.flow() {
            return Err(SendError::Unfit(anyhow!(
                "the flow {flow} failed at it: replay it through the admin surface, with --admin"
            )));
        }
        match &letter.input {
            Input::Message { metadata, body_base64, .. } => {
                send::post(&self.http, self.token_file.as_deref(), &letter.route, metadata, &body_base64.0)
            }
            Input::Frames { frames_base64, .. } => Err(SendError::Unfit(anyhow!(
                "HTTP has no message of its {} frames: replay it through the admin surface, with --admin",
                frames_base64.len()
            ))),
            Input::Request { frames_base64, .. } | Input::Reply { frames_base64, .. } => {
                let frames = frames_base64.iter().map(|frame| frame.0.clone()).collect();
                send::ask(&self.frontend, frames, self.timeout)
            }
        }
    }
}

/// Sends the letter, and marks in `file` what came of it.
///
/// # Errors
/// When nobody is known to have answered.
pub(super) fn resend(letter: &Letter, destination: &Destination, file: &Path) -> Result<Answered, SendError> {
    let answered = destination.send(letter);
    let mut marks = Vec::new();
    match &answered {
        Ok(Answered { arrived: true, .. }) => marks.push((Replay::Sent, &letter.id)),
        Ok(Answered { repeat, .. }) => {
            marks.push((Replay::Failed, &letter.id));
            // So that a hundred letters stay a hundred however often they fail.
            marks.extend(repeat.as_ref().map(|id| (Replay::Repeat, id)));
        }
        Err(SendError::Unfit(_) | SendError::Unsent(_)) => marks.push((Replay::Failed, &letter.id)),
        // It stays begun: nobody knows.
        Err(SendError::Unknown(_)) => {}
    }
    for (replay, id) in marks {
        if let Err(error) = Mark::now(replay, id).append(file) {
            let (replay, file) = (replay.as_str(), file.display());
            note(format_args!("{id}: not marked as {replay} in {file}: {error}"));
        }
    }
    answered
}

/// Marks a letter as one that is being sent.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn begin(letter: &Letter, file: &Path) -> io::Result<()> {
    Mark::now(Replay::Begun, &letter.id).append(file)
}

fn peer(text: &str) -> Result<String, String> {
    check_peer(text).map(|()| text.to_owned())
}
