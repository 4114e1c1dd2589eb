//! Where traces are sent, and their bounds.

use super::limits::number;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where a collector takes traces by OTLP/HTTP, below the endpoint that it is known by.
const TRACES_PATH: &str = "/v1/traces";

/// `[otel]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Otel {
    /// A collector that takes OTLP by HTTP, such as `http://127.0.0.1:4318`: spans are posted to its `/v1/traces`.
    /// Without it nothing is traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<CollectorEndpoint>,
    /// How many of the traces that begin here are recorded. A request that belongs to a caller's trace is recorded if the
    /// caller's `traceparent` says that the trace is.
    #[serde(deserialize_with = "ratio")]
    pub sample_ratio: f64,
    /// Spans that wait to be sent; more are counted, not sent.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub queue_spans_max: usize,
    /// What those take of memory.
    #[serde(deserialize_with = "number::<_, _, 65_536, 1_073_741_824>")]
    pub queue_bytes_max: usize,
    /// How long the collector may take for one batch; after that its spans are counted, not sent again.
    #[serde(deserialize_with = "number::<_, _, 1, 60_000>")]
    pub timeout_ms: u64,
}

impl Default for Otel {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 1.0, queue_spans_max: 4_096, queue_bytes_max: 8 << 20, timeout_ms: 5_000 }
    }
}

/// The base URL of a collector.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectorEndpoint(String);

impl CollectorEndpoint {
    /// Where traces are posted.
    pub fn traces_url(&self) -> String {
        format!("{}{TRACES_PATH}", self.0)
    }
}

impl FromStr for CollectorEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not a collector such as http://127.0.0.1:4318: {why}");
        let uri: hyper::Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("it has to begin with http:// or https://"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("no user or password may stand in it"));
        }
        if uri.query().is_some() {
            return Err(wrong("no query may stand in it"));
        }
        let base = text.trim_end_matches('/');
        Ok(Self(base.strip_suffix(TRACES_PATH).unwrap_or(base).to_owned()))
    }
}

impl TryFrom<String> for CollectorEndpoint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<CollectorEndpoint> for String {
    fn from(endpoint: CollectorEndpoint) -> Self {
        endpoint.0
    }
}

impl fmt::Display for CollectorEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let ratio = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&ratio) {
        Ok(ratio)
    } else {
        Err(serde::de::Error::custom(format!("{ratio} is not between 0 and 1")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_endpoint_however_it_is_written() {
        for (text, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/", "https://collector.example/v1/traces"),
            ("http://[::1]:4318/otlp/", "http://[::1]:4318/otlp/v1/traces"),
            ("http://localhost:4318/v1/traces", "http://localhost:4318/v1/traces"),
        ] {
            assert_eq!(text.parse::<CollectorEndpoint>().map(|endpoint| endpoint.traces_url()), Ok(url.to_owned()));
        }
    }

    #[test]
    fn what_is_no_collector_is_named_with_a_remedy() {
        for (text, why) in [
            ("", "no URL"),
            ("127.0.0.1:4318", "begin with http://"),
            ("collector", "begin with http://"),
            ("grpc://127.0.0.1:4317", "begin with http://"),
            ("http://", "no URL"),
            ("http://a b", "no URL"),
            ("http://me:secret@h:4318", "no user"),
            ("http://h:4318?x", "no query"),
        ] {
            let error = text.parse::<CollectorEndpoint>().unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_ratio_is_a_part_of_one() {
        for (text, ratio) in [("0", 0.0), ("1", 1.0), ("0.25", 0.25)] {
            let otel: Otel = toml::from_str(&format!("sample_ratio = {text}")).unwrap();
            assert_eq!(otel.sample_ratio, ratio);
        }
        for text in ["-0.1", "1.1", "nan", "inf"] {
            let error = toml::from_str::<Otel>(&format!("sample_ratio = {text}")).unwrap_err().to_string();
            assert!(error.contains("not between 0 and 1"), "{error}");
        }
    }
}
