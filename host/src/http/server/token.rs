//! The token that callers of a surface show, from a file.

use crate::config::TOKEN_BYTES_MIN;
use percent_encoding::percent_decode_str;
use std::path::Path;
use subtle::ConstantTimeEq;
use warp::http::header::AUTHORIZATION;
use warp::http::{HeaderMap, Uri};

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
    pub(crate) fn is_shown(&self, headers: &HeaderMap, in_query: Option<&str>) -> bool {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let in_header = header.and_then(|value| value.split_once(' '));
        let in_header = in_header.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let shown = in_header.map(|(_, token)| token.trim()).or(in_query);
        shown.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(self.0.as_bytes())))
    }
}

/// Takes what is called `token` out of the query, and returns it decoded; the last if there are several.
pub(super) fn take_from_query(uri: &mut Uri) -> Option<String> {
    let (path, query) = (uri.path(), uri.query()?);
    let is_token = |piece: &&str| piece.split('=').next() == Some("token");
    let token = query.split('&').rfind(is_token)?;
    let token = token.split_once('=').map_or("", |(_, value)| value);
    let token = percent_decode_str(token).decode_utf8_lossy().into_owned();
    let rest: Vec<_> = query.split('&').filter(|piece| !is_token(piece)).collect();
    let rest = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut parts = uri.clone().into_parts();
    // A part of what was sound is sound.
    parts.path_and_query = rest.try_into().ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
    Some(token)
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
