//! `tidegate dead-letters replay`: makes the call of a letter again, offline or through a host.

use super::{LetterFiles, offline, send};
use crate::cli::log;
use crate::config::timeout;
use crate::dead_letters::{Input, Letter};
use crate::messaging::check_peer;
use crate::system::output::print;
use anyhow::bail;
use clap::{ArgGroup, Args};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Run a letter through a component in the sandbox, with the chance of then, or send it to a running host again.
///
/// Exit code 0 if it was answered, else 1.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("how").required(true).args(["component", "send"])))]
pub(in crate::cli) struct Replay {
    /// The id of the request, as the list and the host's log have it
    id: String,
    #[command(flatten)]
    files: LetterFiles,
    /// Run it through this component, without any host
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// The host's configuration, for the plugin's limits and settings
    #[arg(long, value_name = "FILE", requires = "component")]
    config: Option<PathBuf>,
    /// Send it to a running host again
    #[arg(long)]
    send: bool,
    /// Where a message is sent to
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5000")]
    http: String,
    /// The file with the token that the host's HTTP surface asks for
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Where a request is sent to
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:5570", value_parser = peer)]
    frontend: String,
    /// How long to wait for each reply to a request, such as 500ms, 5s or 2m
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,
    /// Show the log of the call, the guest's own lines among it, filtered so: a level, or TARGET=LEVEL
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG")]
    log_filter: Option<log::Filter>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        // Of several the newest: an id is of one call alone, but a file may have been put together.
        let Some(letter) = self.files.of(&self.id)?.into_iter().rfind(is_call) else {
            bail!(
                "{} is the id of replies that could not be sent; they have no call to make again, and only their client \
                 could be sent them: `tidegate dead-letters show {0} --raw` has their bytes",
                self.id
            );
        };
        let result = match &self.component {
            Some(component) => offline::call(letter, component, self.config.as_deref(), self.log_filter)?,
            None => match letter.input {
                Input::Message { metadata, body_base64, .. } => {
                    let token_file = self.token_file.as_deref();
                    send::post(&self.http, token_file, &letter.route, &metadata, &body_base64.0)?
                }
                Input::Request { frames_base64, .. } | Input::Reply { frames_base64, .. } => {
                    let frames = frames_base64.into_iter().map(|frame| frame.0).collect();
                    send::ask(&self.frontend, frames, self.timeout)?
                }
            },
        };
        if self.json {
            print(serde_json::to_string_pretty(&result.json)? + "\n")?;
        } else {
            print(&result.text)?;
        }
        Ok(if result.answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn is_call(letter: &Letter) -> bool {
    !matches!(letter.input, Input::Reply { .. })
}

fn peer(text: &str) -> Result<String, String> {
    check_peer(text).map(|()| text.to_owned())
}
