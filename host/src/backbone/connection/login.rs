//! How the host shows NATS who it is: by files, which are read anew for each connection, since such secrets are replaced.

use crate::config::Nats;
use async_nats::Auth;
use nkeys::KeyPair;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The bytes that a file may have.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The files by which the host logs in.
#[derive(Clone)]
pub(super) struct Login {
    credentials_file: Option<PathBuf>,
    user: Option<String>,
    password_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
}

impl Login {
    /// None if the host does not log in.
    pub(super) fn of(nats: &Nats) -> Option<Self> {
        let Nats { credentials_file, user, password_file, token_file, .. } = nats.clone();
        let is_any = credentials_file.is_some() || user.is_some() || token_file.is_some();
        is_any.then_some(Self { credentials_file, user, password_file, token_file })
    }

    /// Reads the files, and signs what the server asks to be signed.
    ///
    /// # Errors
    /// When a file cannot be read, or is none of its kind; names it, and has nothing of what is in it.
    pub(super) fn read(&self, nonce: &[u8]) -> Result<Auth, String> {
        let mut auth = Auth::new();
        if let Some(file) = &self.credentials_file {
            let wrong = |what: &str| {
                format!("nats.credentials_file {}: {what}: write it with `nsc generate creds`", file.display())
            };
            let text = read("nats.credentials_file", file)?;
            let (jwt, seed) = parts(&text).ok_or_else(|| wrong("it has no JWT and no seed between dashes"))?;
            let key = KeyPair::from_seed(seed).map_err(|_| wrong("its seed is none"))?;
            auth.signature = Some(key.sign(nonce).map_err(|_| wrong("its seed signs nothing"))?);
            auth.jwt = Some(jwt.to_owned());
        }
        if let (Some(user), Some(file)) = (&self.user, &self.password_file) {
            auth.username = Some(user.clone());
            auth.password = Some(secret("nats.password_file", file)?);
        }
        if let Some(file) = &self.token_file {
            auth.token = Some(secret("nats.token_file", file)?);
        }
        Ok(auth)
    }
}

/// What stands in a file.
///
/// # Errors
/// When it cannot be read, or is too long; names it.
pub(super) fn read(key: &str, file: &Path) -> Result<String, String> {
    let failed = |what: String| format!("{key} {}: {what}", file.display());
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| failed(error.to_string()))?;
    opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(failed(format!("it has more than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// What stands in a file, without blanks around it.
fn secret(key: &str, file: &Path) -> Result<String, String> {
    let text = read(key, file)?;
    match text.trim() {
        "" => Err(format!("{key} {}: it is empty: write the secret into it", file.display())),
        secret => Ok(secret.to_owned()),
    }
}

/// The JWT and the seed of credentials: each is the line behind one of dashes with `BEGIN`.
fn parts(text: &str) -> Option<(&str, &str)> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut part = || {
        lines.find(|line| line.starts_with("---") && line.contains("BEGIN"))?;
        lines.next().filter(|line| !line.starts_with('-'))
    };
    Some((part()?, part()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_have_a_jwt_and_a_seed() {
        let text = "-----BEGIN NATS USER JWT-----\r\na.b.c\r\n------END NATS USER JWT------\r\n\r\n***\r\nread me\r\n\r\n\
                    -----BEGIN USER NKEY SEED-----\r\nSUX\r\n------END USER NKEY SEED------\r\n";
        assert_eq!(parts(text), Some(("a.b.c", "SUX")));
        for text in ["", "a.b.c\nSUX\n", "-----BEGIN X-----\n------END X------\n", "-----BEGIN X-----\na.b.c\n"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }
}
