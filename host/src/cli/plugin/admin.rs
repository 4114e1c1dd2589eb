//! The flags of what talks to a running host's admin surface, and how its answers are shown.

mod client;
pub(super) mod list;
pub(super) mod load;
pub(super) mod names;
pub(super) mod pause;
pub(super) mod rollback;
pub(super) mod unload;

pub(in crate::cli) use client::{Client, refusal};
pub(in crate::cli) use names::{flow_names, plugin_names};

use crate::config::Address;
use crate::system::output::print;
use anyhow::bail;
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// The variable that names the file with the token of a host's admin surface.
pub(in crate::cli) const TOKEN_FILE: &str = "TIDEGATE_ADMIN_TOKEN_FILE";

/// The flags of every command that talks to a running host.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Admin {
    /// The admin address of the host
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_ADMIN", default_value = "127.0.0.1:5001")]
    admin: Address,
    /// The file with the token that the host asks for, the one of its admin.token_file
    #[arg(long, value_name = "FILE", env = TOKEN_FILE)]
    token_file: Option<PathBuf>,
    /// Print the host's answer as JSON
    #[arg(long)]
    json: bool,
}

impl Admin {
    /// That of a host whose address did not come by a flag of this.
    pub(in crate::cli) fn at(admin: Address, token_file: Option<PathBuf>) -> Self {
        Self { admin, token_file, json: false }
    }

    /// Whether answers are for programs.
    pub(in crate::cli) fn json(&self) -> bool {
        self.json
    }

    /// Sends a request and shows the answer: as JSON, or as `show` writes it for people.
    ///
    /// # Errors
    /// When no host answers, and when it refuses, with the host's own words.
    pub(in crate::cli) fn run(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        show: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<()> {
        let (success, answer) = self.ask(method, path, body)?;
        self.show(success, &answer, show)
    }

    /// Shows an answer, of which `success` says whether the host did what it was asked.
    ///
    /// # Errors
    /// When it did not, with the host's own words.
    pub(in crate::cli) fn show(
        &self,
        success: bool,
        answer: &Value,
        show: impl FnOnce(&Value) -> String,
    ) -> anyhow::Result<()> {
        if self.json {
            print(serde_json::to_string_pretty(answer)? + "\n")?;
        } else if success {
            print(show(answer))?;
        }
        if success { Ok(()) } else { Err(refusal(answer)) }
    }

    /// What the host answers to a question of ours rather than of the user.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(in crate::cli) fn look(&self, path: &str) -> anyhow::Result<Value> {
        self.send("GET", path, &[])
    }

    /// What the host answers, if it does what it is asked.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(in crate::cli) fn send(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Value> {
        self.client()?.send(method, path, body)
    }

    /// Whether the host did what it was asked, and its answer.
    ///
    /// # Errors
    /// When no host answers.
    pub(in crate::cli) fn ask(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<(bool, Value)> {
        self.client()?.ask(method, path, body)
    }

    /// An answer that goes on for as long as it is read, and the host is not silent for so long.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(in crate::cli) fn follow(&self, path: &str, silence: Duration) -> anyhow::Result<impl Read + Send + use<>> {
        self.client()?.follow(path, silence)
    }

    /// Who asks that host.
    ///
    /// # Errors
    /// When there is none to ask.
    fn client(&self) -> anyhow::Result<Client> {
        let Some(address) = self.admin.0 else { bail!("no host to talk to: name its address with --admin") };
        let remedies = ["start one, or name its address with --admin", "name the address of one with --admin"];
        let (token_file, answer_bytes_max) = (self.token_file.clone(), client::ANSWER_BYTES_MAX);
        Ok(Client { address, token_file, remedies, deadline: None, answer_bytes_max })
    }
}

/// As a part of a path, or a value in a query, of a request.
pub(in crate::cli) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The text under a key; a dash where there is none.
pub(in crate::cli) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

/// The items under a key.
pub(in crate::cli) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A digest as far as people compare it.
pub(in crate::cli) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
