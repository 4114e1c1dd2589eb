//! The client of a running host's admin surface, and how its answers are shown.

pub(super) mod list;
pub(super) mod load;
pub(super) mod names;
pub(super) mod pause;
pub(super) mod rollback;
pub(super) mod unload;

pub(in crate::cli) use names::flow_names;

use crate::cli::output::render::printable;
use crate::config::Address;
use crate::http::read_token;
use crate::system::output::print;
use anyhow::{Context, anyhow, bail};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, EXPECT};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

/// The variable that names the file with the token of a host's admin surface.
pub(in crate::cli) const TOKEN_FILE: &str = "TIDEGATE_ADMIN_TOKEN_FILE";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Long enough for any component to compile under the default limits, with several ahead of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
const ANSWER_BYTES_MAX: u64 = 256 << 20;

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
        let (success, answer) = self.ask(method, path, body)?;
        if success { Ok(answer) } else { Err(refusal(&answer)) }
    }

    /// Whether the host did what it was asked, and its answer.
    ///
    /// # Errors
    /// When no host answers.
    pub(in crate::cli) fn ask(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<(bool, Value)> {
        let mut answer = self.call(method, path, body, ANSWER_TIMEOUT)?;
        let json = self.read(&mut answer)?;
        Ok((answer.status().is_success(), json))
    }

    /// An answer that goes on for as long as it is read, and the host is not silent for so long.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(in crate::cli) fn follow(&self, path: &str, silence: Duration) -> anyhow::Result<impl Read + Send + use<>> {
        let mut answer = self.call("GET", path, &[], silence)?;
        if answer.status().is_success() {
            return Ok(answer.into_body().into_reader());
        }
        Err(refusal(&self.read(&mut answer)?))
    }

    fn call(&self, method: &str, path: &str, body: &[u8], silence: Duration) -> anyhow::Result<Response<Body>> {
        let url = self.url()?;
        let mut request = Request::builder().method(method).uri(format!("{url}{path}"));
        if !body.is_empty() {
            // The host can refuse before it is sent a long component, and the refusal is read.
            request = request.header(EXPECT, "100-continue");
        }
        if let Some(file) = &self.token_file {
            let token = read_token(file).map_err(anyhow::Error::msg)?;
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // What is meant for a host on this machine or next to it goes to no proxy.
            .proxy(None)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(silence))
            .build()
            .into();
        // A GET has no body, not even an empty one.
        let answer = if method == "GET" { agent.run(request.body(())?) } else { agent.run(request.body(body)?) };
        answer
            .map_err(|error| anyhow!("no host answers at {url}: {error}: start one, or name its address with --admin"))
    }

    fn read(&self, answer: &mut Response<Body>) -> anyhow::Result<Value> {
        let url = self.url()?;
        read(answer).with_context(|| {
            format!("what answers at {url} is no host's admin surface: name the address of one with --admin")
        })
    }

    fn url(&self) -> anyhow::Result<String> {
        let Some(address) = self.admin.0 else { bail!("no host to talk to: name its address with --admin") };
        Ok(format!("http://{address}"))
    }
}

fn read(answer: &mut Response<Body>) -> anyhow::Result<Value> {
    let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The host's sentence, with the plugin in front where the component was refused: that sentence begins with the stage.
fn refusal(problem: &Value) -> anyhow::Error {
    let detail = printable(text(problem, "detail"));
    match problem.get("plugin").and_then(Value::as_str) {
        Some(plugin) => anyhow!("plugin {plugin} is refused: {detail}"),
        None => anyhow!("{detail}"),
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
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
