//! The client of one host's admin surface: what it is asked, within which bounds, and what it answers.

use super::text;
use crate::cli::output::render::printable;
use crate::http::read_token;
use anyhow::{Context, anyhow};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::header::{ACCEPT, AUTHORIZATION, EXPECT};
use ureq::http::{Request, Response};
use ureq::{Agent, Body};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Long enough for any component to compile under the default limits, with several ahead of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);
pub(super) const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// Asks one host.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Client {
    /// The admin address of the host.
    pub(in crate::cli) address: SocketAddr,
    /// The file with the token that it asks for.
    pub(in crate::cli) token_file: Option<PathBuf>,
    /// What there is to do where nothing answers, or no host.
    pub(in crate::cli) remedies: [&'static str; 2],
    /// By when an answer has to be there whole; none for one that may take as long as a load.
    pub(in crate::cli) deadline: Option<Duration>,
    /// How long it may be.
    pub(in crate::cli) answer_bytes_max: u64,
}

impl Client {
    /// What the host answers, if it does what it is asked.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(super) fn send(&self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Value> {
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

    /// What the host answers to a GET, as what is made of that in place of any JSON, which may be large.
    ///
    /// # Errors
    /// When no host answers, it refuses, or its answer is something else.
    pub(in crate::cli) fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let mut answer = self.call("GET", path, &[], ANSWER_TIMEOUT)?;
        if answer.status().is_success() { self.read(&mut answer) } else { Err(refusal(&self.read(&mut answer)?)) }
    }

    /// An answer that goes on for as long as it is read, and the host is not silent for so long.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(super) fn follow(&self, path: &str, silence: Duration) -> anyhow::Result<impl Read + Send + use<>> {
        let mut answer = self.call("GET", path, &[], silence)?;
        if answer.status().is_success() {
            return Ok(answer.into_body().into_reader());
        }
        Err(refusal(&self.read(&mut answer)?))
    }

    fn call(&self, method: &str, path: &str, body: &[u8], silence: Duration) -> anyhow::Result<Response<Body>> {
        let url = self.url();
        let mut request =
            Request::builder().method(method).uri(format!("{url}{path}")).header(ACCEPT, "application/json");
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
            .timeout_global(self.deadline)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .timeout_per_read(Some(silence))
            .build()
            .into();
        // A GET has no body, not even an empty one.
        let answer = if method == "GET" { agent.run(request.body(())?) } else { agent.run(request.body(body)?) };
        answer.map_err(|error| anyhow!("no host answers at {url}: {error}: {}", self.remedies[0]))
    }

    fn read<T: DeserializeOwned>(&self, answer: &mut Response<Body>) -> anyhow::Result<T> {
        let (url, remedy) = (self.url(), self.remedies[1]);
        read(answer, self.answer_bytes_max)
            .with_context(|| format!("what answers at {url} is no host's admin surface: {remedy}"))
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn read<T: DeserializeOwned>(answer: &mut Response<Body>, bytes_max: u64) -> anyhow::Result<T> {
    let bytes = answer.body_mut().with_config().limit(bytes_max).read_to_vec()?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The host's sentence, with the plugin in front where the component was refused: that sentence begins with the stage.
pub(in crate::cli) fn refusal(problem: &Value) -> anyhow::Error {
    let detail = printable(text(problem, "detail"));
    match problem.get("plugin").and_then(Value::as_str) {
        Some(plugin) => anyhow!("plugin {plugin} is refused: {detail}"),
        None => anyhow!("{detail}"),
    }
}
