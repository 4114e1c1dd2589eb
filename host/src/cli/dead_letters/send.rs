//! A letter sent to a running host again: a message by HTTP, a request by ZeroMQ.

use crate::cli::output::outcome::Outcome;
use crate::cli::output::render::{bytes, field, frames};
use crate::cli::plugin::encoded;
use crate::clients::resend::resend;
use crate::config::check_name;
use crate::http::read_token;
use crate::record::dead_letters::Base64;
use anyhow::{Context, anyhow};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{Request, StatusCode};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than any call may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3_700);
const ANSWER_BYTES_MAX: u64 = 4 << 30;
/// The statuses of calls of which the host writes a letter.
const LETTER_STATUSES: [u16; 3] = [500, 502, 504];

/// What came of a letter that reached somebody.
pub(super) struct Answered {
    /// For the user.
    pub(super) outcome: Outcome,
    /// It arrived, and its call did not fail.
    pub(super) arrived: bool,
    /// The id of the letter that the host writes of the new call, which failed too.
    pub(super) repeat: Option<String>,
    /// Why the next letter will do no better.
    pub(super) hopeless: Option<String>,
}

/// Why nobody is known to have answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// The letter makes no request.
    #[error("{0:#}")]
    Unfit(anyhow::Error),
    /// Nothing was sent.
    #[error("{0:#}")]
    Unsent(anyhow::Error),
    /// It was sent, at least in part.
    #[error("{0:#}")]
    Unknown(anyhow::Error),
}

/// Posts a message to its route, with the query and the type that it came with.
///
/// # Errors
/// When the route cannot be the name of a plugin, the token cannot be read, or no host answers.
pub(super) fn post(
    url: &str,
    token_file: Option<&Path>,
    route: &str,
    metadata: &[(String, String)],
    body: &[u8],
) -> Result<Answered, SendError> {
    check_name(route).map_err(|error| SendError::Unfit(anyhow::Error::msg(error)))?;
    let mut request = Request::post(format!("{}/{route}/{}", url.trim_end_matches('/'), query(metadata)));
    if let Some((_, content_type)) = metadata.iter().find(|(key, _)| key == "http.content-type") {
        request = request.header(CONTENT_TYPE, content_type);
    }
    if let Some(file) = token_file {
        let token = read_token(file).map_err(|error| SendError::Unsent(anyhow::Error::msg(error)))?;
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(ANSWER_TIMEOUT))
        .build()
        .into();
    let request = request.body(body).context("the letter makes no request").map_err(SendError::Unfit)?;
    let mut answer = agent.run(request).map_err(|error| {
        let is_unsent = is_unsent(&error);
        let error = anyhow!("no host answers at {url}: {error}: start one, or name it with --http");
        if is_unsent { SendError::Unsent(error) } else { SendError::Unknown(error) }
    })?;
    let answered = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    let answered = answered.with_context(|| format!("reading the answer of {url}")).map_err(SendError::Unknown)?;
    let status = answer.status();
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let mut text = field("status", &status.as_u16().to_string());
    if let (Some(plugin), Some(generation)) = (header("tidegate-plugin"), header("tidegate-generation")) {
        text += &field("by", &format!("{plugin}, generation {generation}"));
    }
    let json = json!({"status": status.as_u16(), "body_base64": Base64(answered.clone())});
    // A gateway before the host may answer with the same statuses; only the host names the request.
    let repeat = header("tidegate-request").filter(|_| LETTER_STATUSES.contains(&status.as_u16())).map(str::to_owned);
    let hopeless = (status == StatusCode::UNAUTHORIZED)
        .then(|| format!("{url} asks for a token: name the file that holds it with --token-file"));
    let outcome = Outcome { answered: status.is_success(), json, text: text + &bytes("body", &answered) };
    Ok(Answered { outcome, arrived: status.is_success(), repeat, hopeless })
}

/// Whether the request did not leave this machine.
pub(in crate::cli) fn is_unsent(error: &ureq::Error) -> bool {
    use ureq::{Error, Timeout};
    match error {
        Error::HostNotFound | Error::ConnectionFailed | Error::BadUri(_) => true,
        Error::Timeout(timeout) => matches!(timeout, Timeout::Resolve | Timeout::Connect),
        Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// The query that these pairs came from.
pub(in crate::cli) fn query(metadata: &[(String, String)]) -> String {
    let pairs: Vec<_> = metadata
        .iter()
        .filter_map(|(key, value)| Some(format!("{}={}", encoded(key.strip_prefix("query.")?), encoded(value))))
        .collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Sends a request's frames as a new client: under its former identity it would take the place of that client.
///
/// # Errors
/// When the socket cannot connect or send.
pub(super) fn ask(endpoint: &str, request: Vec<Vec<u8>>, timeout: Duration) -> Result<Answered, SendError> {
    let replies = resend(endpoint, request, timeout)
        .map_err(|cause| SendError::Unsent(anyhow!("sending to {endpoint}: {cause}")))?;
    let mut text = format!("replies: {}\n", replies.len());
    let mut list = Vec::new();
    for reply in replies {
        text += &frames(&reply);
        list.push(json!({"frames_base64": reply.into_iter().map(Base64).collect::<Vec<_>>()}));
    }
    let outcome = Outcome { answered: !list.is_empty(), json: json!({"replies": list}), text };
    // A policy may well have no reply. If its call failed instead, the host writes a letter of the new request.
    Ok(Answered { outcome, arrived: true, repeat: None, hopeless: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_what_it_was() {
        let pairs = [("tidegate.request-id", "1"), ("query.a", "b c&d"), ("query.é", ""), ("http.content-type", "x/y")];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(query(&pairs), "?a=b%20c%26d&%C3%A9=");
        assert_eq!(query(&pairs[..1]), "");
    }
}
