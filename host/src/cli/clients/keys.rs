//! The flags with which a client speaks CURVE.

use crate::messaging::ClientKeys;
use crate::messaging::curve::key::{KeyPair, public_key, warning_if_open_to_others};
use crate::system::output::note;
use std::path::Path;

/// Both flags or neither.
#[derive(Debug, clap::Args)]
pub struct Keys {
    /// Speak CURVE: the server's public key, or the file that holds it
    #[arg(long, value_name = "KEY|FILE", requires = "key", allow_hyphen_values = true, value_parser = public_key)]
    server_key: Option<String>,
    /// Speak CURVE: the file with this client's secret key; `tidegate keygen` makes one
    #[arg(long, value_name = "FILE", requires = "server_key", value_parser = pair)]
    key: Option<KeyPair>,
}

impl Keys {
    /// What the client shows and whom it trusts; none where it speaks no CURVE.
    pub fn into_client_keys(self) -> Option<ClientKeys> {
        Some(ClientKeys { server: self.server_key?, pair: self.key? })
    }
}

fn pair(file: &str) -> Result<KeyPair, String> {
    let path = Path::new(file);
    let pair = KeyPair::read(path)?;
    if let Some(warning) = warning_if_open_to_others(path) {
        note(format_args!("warning: {warning}"));
    }
    Ok(pair)
}
