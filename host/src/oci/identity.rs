//! Identity tokens: what docker keeps in place of a password, for which a registry's token server gives an access token, as
//! OAuth 2 has it.

use super::Error;
use super::credentials::Login;
use super::transport::client_reference;
use crate::config::{REGISTRY_TOKEN_BYTES_MAX, Reference};
use oci_client::RegistryOperation;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;

/// Who asks, as token servers log it.
const CLIENT_ID: &str = "tidegate";

/// What a token server gives; which of the names it uses depends on who wrote it.
#[derive(Deserialize)]
struct Given {
    access_token: Option<String>,
    token: Option<String>,
}

/// Where a registry sends who wants a token.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: Option<String>,
}

/// An access token to do this with a repository; none if the registry asks for nothing. `is_plain` where it is spoken to
/// without TLS.
///
/// # Errors
/// When the registry or its token server does not answer or gives none, or the token server is to be asked without TLS where the
/// registry is not.
pub(super) async fn access_token(
    client: &Client,
    (reference, is_plain): (&Reference, bool),
    operation: RegistryOperation,
    login: &Login,
    identity: &str,
) -> Result<Option<String>, Error> {
    let registry = &reference.registry;
    let failed = |error: reqwest::Error| Error::of(reference, is_plain, login, error.into());
    let image = client_reference(reference);
    let scheme = if is_plain { "http" } else { "https" };
    let asked = client.get(format!("{scheme}://{}/v2/", image.resolve_registry())).send().await;
    let asked = asked.map_err(failed)?;
    let Some(challenge) = asked.headers().get(WWW_AUTHENTICATE) else { return Ok(None) };
    let challenge = challenge.to_str().ok().and_then(Challenge::read);
    let Some(Challenge { realm, service }) = challenge else {
        let why = "it asks for a user name and a password, and takes no identity token";
        return Err(Error::denied_to(reference, login, Some(why)));
    };
    if !is_plain && !realm.starts_with("https://") {
        let why = format!("its token server {realm} is without TLS, and is not shown the identity token");
        return Err(Error::refused(registry, &why));
    }
    let actions = match operation {
        RegistryOperation::Pull => "pull",
        RegistryOperation::Push => "pull,push",
    };
    let scope = format!("repository:{}:{actions}", image.repository());
    let mut fields =
        vec![("grant_type", "refresh_token"), ("client_id", CLIENT_ID), ("scope", &scope), ("refresh_token", identity)];
    fields.extend(service.as_deref().map(|service| ("service", service)));
    let encoded = fields.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let body = encoded.collect::<Vec<_>>().join("&");
    let asked = client.post(&realm).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await;
    let mut answer = asked.map_err(failed)?;
    let status = answer.status();
    let text = text(&mut answer).await.map_err(failed)?;
    let why = || format!("its token server answers {status}: {}", login.quote(&String::from_utf8_lossy(&text)));
    match status {
        StatusCode::OK => {
            let given: Option<Given> = serde_json::from_slice(&text).ok();
            let token = given.and_then(|given| given.access_token.or(given.token));
            token.map(Some).ok_or_else(|| Error::refused(registry, "what its token server gives is no token"))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(Error::denied_to(reference, login, Some(&why())))
        }
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(Error::Unavailable(format!("registry {registry}: {}: try again later", why())))
        }
        _ => Err(Error::refused(registry, &why())),
    }
}

/// The body, of which no more is read than a token may have.
async fn text(answer: &mut Response) -> reqwest::Result<Vec<u8>> {
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        let left = REGISTRY_TOKEN_BYTES_MAX.saturating_sub(text.len());
        text.extend_from_slice(&piece[..piece.len().min(left)]);
        if piece.len() >= left {
            break;
        }
    }
    Ok(text)
}

impl Challenge {
    /// Of `Bearer realm="…",service="…"`; none of another scheme.
    fn read(header: &str) -> Option<Self> {
        let (scheme, mut rest) = header.trim_start().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service) = (None, None);
        while let Some((name, after)) = rest.split_once('=') {
            let value;
            (value, rest) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').map_or((after, ""), |(value, rest)| (value, rest)),
            };
            match name.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(Self { realm: realm?, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_tokens_are_given() {
        let of = |realm: &str, service: Option<&str>| {
            Some(Challenge { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        for (header, expected) in [
            (r#"Bearer realm="https://a/t",service="s""#, of("https://a/t", Some("s"))),
            (r#"bearer service="a=b, c" , scope="x", realm="https://a/t?b=c""#, of("https://a/t?b=c", Some("a=b, c"))),
            ("Bearer realm=https://a/t,service=s", of("https://a/t", Some("s"))),
            (r#"Bearer realm="https://a/t""#, of("https://a/t", None)),
            (r#"Basic realm="x""#, None),
            (r#"Bearer service="s""#, None),
            (r#"Bearer realm="x"#, None),
            ("Bearer", None),
            ("", None),
        ] {
            assert_eq!(Challenge::read(header), expected, "{header}");
        }
    }
}
