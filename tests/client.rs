//! An HTTP client that returns every status as an answer, not as an error.

use crate::harness::{Host, LONG_PATIENCE};
use std::collections::BTreeMap;

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A client that reuses its connection.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

impl Client {
    pub fn new(host: &Host) -> Self {
        Self::at(host.surface("http"))
    }

    pub fn at(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The proxy variables of the environment must not apply: the host is on loopback.
            .proxy(None)
            .allow_non_standard_methods(true)
            .timeout_global(Some(LONG_PATIENCE))
            .build();
        Self { agent: config.into(), base: base.to_owned() }
    }

    pub fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Answer, ureq::Error> {
        self.request_with(method, path, &[], body)
    }

    /// As [`Client::request`], with headers.
    pub fn request_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = response.body_mut().with_config().limit(1 << 30).read_to_vec()?;
        Ok(Answer { status: response.status().as_u16(), headers, body })
    }
}
