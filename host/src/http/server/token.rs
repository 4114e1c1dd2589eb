//! The token that callers of a surface show, from a file.

use crate::config::TOKEN_BYTES_MIN;
use std::path::Path;
use subtle::ConstantTimeEq;
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

/// A secret that callers send as `Authorization: Bearer TOKEN`.
pub struct Token(String);

impl Token {
    /// Reads the token that a host asks for, and warns if everybody could.
    ///
    /// # Errors
    /// Names the file and says what to do.
    pub fn of_file(file: &Path) -> Result<Self, String> {
        let token = read_token(file)?;
        warn_if_others_read("token file", file);
        Ok(Self(token))
    }

    /// Whether the request carries the token. The time that this takes says nothing about how much of it is right.
    pub(crate) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let Some((scheme, token)) =
            headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer") && bool::from(token.trim().as_bytes().ct_eq(self.0.as_bytes()))
    }
}

/// The token of a file, without the white space around it.
///
/// # Errors
/// Names the file and says what to do.
pub fn read_token(file: &Path) -> Result<String, String> {
    let failed = |what: &str| {
        let name = file.display();
        format!("token file {name}: {what}: write a token into it with `openssl rand -hex 32 > {name}`")
    };
    let text = std::fs::read_to_string(file).map_err(|error| failed(&error.to_string()))?;
    let token = text.trim();
    if token.len() < TOKEN_BYTES_MIN {
        Err(failed(&format!("the token has {} bytes, and {TOKEN_BYTES_MIN} are the least", token.len())))
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(failed("the token has other characters than plain ASCII without spaces"))
    } else {
        Ok(token.to_owned())
    }
}

/// Warns if every user of the machine can read a secret.
#[cfg(unix)]
pub(super) fn warn_if_others_read(what: &str, file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0) {
        let file = file.display();
        tracing::warn!("{what} {file}: every user of this machine can read it: run `chmod 600 {file}`");
    }
}

#[cfg(not(unix))]
pub(super) fn warn_if_others_read(_what: &str, _file: &Path) {}
