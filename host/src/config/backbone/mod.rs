//! The durable backbone: which NATS the host speaks to, and what its JetStream keeps.

mod check;
mod place;
mod stream;
mod subject;

pub(in crate::config) use check::{check, check_sink, check_source};
pub use place::{JETSTREAM, JetStreamSource, is_jetstream};
pub use stream::{JetStreamConsumer, JetStreamStream, Storage};
pub use subject::{SubjectPart, SubjectTemplate};

use super::limits::{milliseconds, number};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[nats]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Nats {
    /// The servers, with commas between them: `nats://HOST:4222`, or `tls://HOST:4222`. It learns of the others of a cluster by
    /// itself.
    pub url: String,
    /// A file with the JWT and the seed of an account's user, as `nsc` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// The user as whom the host logs in, with the password in `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A file with the password of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// A file with the token that servers ask for which know no users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// A file with the certificates of the authorities that the servers' are to be of, where they are not of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,
    /// A file with the certificate by which the host shows who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,
    /// The file of its private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,
    /// The domain of JetStream, where the streams are not those of the servers themselves: of a leaf node those of its hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// How long an acknowledgement may take: then a message is sent again, and a request is answered 503.
    #[serde(default = "ack_timeout_ms", deserialize_with = "milliseconds::<_, _, 100, 600_000>")]
    pub ack_timeout_ms: u64,
    /// Messages that each subject's sink has sent and that are not acknowledged.
    #[serde(default = "in_flight_max", deserialize_with = "number::<_, _, 1, 65_536>")]
    pub in_flight_max: usize,
}

impl Nats {
    /// These servers, with all else as it is where nothing is said.
    ///
    /// # Errors
    /// When one is no server of NATS; says what one looks like.
    pub fn at(url: String) -> Result<Self, String> {
        check::check_url(&url)?;
        Ok(Self {
            url,
            credentials_file: None,
            user: None,
            password_file: None,
            token_file: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
            domain: None,
            ack_timeout_ms: ack_timeout_ms(),
            in_flight_max: in_flight_max(),
        })
    }
}

fn ack_timeout_ms() -> u64 {
    5_000
}

fn in_flight_max() -> usize {
    1_024
}
