//! Why a registry gave nothing, and whose fault that is.

use super::credentials::{self, Login, one_line};
use crate::config::Reference;
use oci_client::errors::{DigestError, OciDistributionError, OciEnvelope, OciErrorCode};
use std::fmt::Write;

/// Why a registry gave nothing, or took nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not answer, or not now; what it gave before may stand in.
    #[error("{0}")]
    Unavailable(String),
    /// It says no, or what it gives is not what it should be.
    #[error("{0}")]
    Refused(String),
    /// It does not let in who asks; to ask again soon is of no use.
    #[error("{0}")]
    Denied(String),
}

/// Words by which a token server's refusal of the credentials is known.
const DENIAL_WORDS: [&str; 9] =
    ["unauthorized", "unauthenticated", "denied", "forbidden", "incorrect", "invalid", "credential", "password", "401"];

impl Error {
    /// What went wrong with a registry that was asked as this login; `is_plain` where it was spoken to without TLS.
    pub(super) fn of(reference: &Reference, is_plain: bool, login: &Login, error: OciDistributionError) -> Self {
        use OciDistributionError as E;
        let registry = &reference.registry;
        match error {
            E::RequestError(error) if error.is_builder() => Self::refused(registry, &causes(&error)),
            E::RequestError(error) => Self::silent(registry, is_plain, &root(&error)),
            E::IoError(error) if is_wrong_digest(&error) => Self::refused(registry, &causes(&error)),
            E::IoError(error) => Self::silent(registry, is_plain, &root(&error)),
            E::AuthenticationFailure(text) if is_denial(&text) => Self::denied_to(reference, login, Some(&text)),
            E::AuthenticationFailure(text) => Self::no_token(reference, login, &text),
            E::RegistryError { envelope, .. } => Self::of_envelope(registry, login, &envelope),
            E::ServerError { code: 404, .. } => Self::absent(registry),
            E::ServerError { code, message, .. } if code >= 500 || code == 429 => Self::Unavailable(format!(
                "registry {registry} answers {code}: {}: try again later",
                login.quote(&message)
            )),
            E::ImageIndexParsingNoPlatformResolverError | E::ImageManifestNotFoundError(_) => {
                Self::refused(registry, "the index has no manifest for the architecture wasm: name the manifest itself")
            }
            error => Self::refused(registry, &login.quote(&causes(&error))),
        }
    }

    /// The answer did not end in time.
    pub(super) fn too_slow(registry: &str, what: &str, limit_ms: u64) -> Self {
        Self::Unavailable(format!("registry {registry} takes longer than {limit_ms} ms for {what}: try again later"))
    }

    pub(super) fn refused(registry: &str, why: &str) -> Self {
        Self::Refused(format!("registry {registry}: {}", one_line(why)))
    }

    fn silent(registry: &str, is_plain: bool, why: &str) -> Self {
        // What rustls says of an answer that is not TLS.
        let remedy = if !is_plain && why.contains("corrupt message") {
            "a registry without TLS has to be named in oci.plain_http, or with --plain-http at push and pull"
        } else if why.contains("UnknownIssuer") {
            "this machine does not trust who signed its certificate: if that is an authority of your own, name its \
             certificate in oci.ca_certificates, or with --ca-certificates at push and pull"
        } else if why.contains("invalid peer certificate") {
            "check its name, its certificate and the clocks"
        } else {
            "start it, or check its name and the network"
        };
        Self::Unavailable(format!("registry {registry} does not answer: {}: {remedy}", one_line(why)))
    }

    /// It says no to who asks, for a reason of its own: `token` is what it says where it gives no token for the
    /// credentials.
    pub(super) fn denied_to(reference: &Reference, login: &Login, token: Option<&str>) -> Self {
        let Reference { registry, repository, .. } = reference;
        let again = log_in(registry);
        let why = match (&login.file, token) {
            (Some(file), Some(text)) => format!(
                "it takes the credentials of {} no longer, or never did ({}): {again}",
                file.display(),
                login.quote(text)
            ),
            (Some(file), None) => format!(
                "the credentials of {} are wrong, expired or revoked, or have no right to it: {again}",
                file.display()
            ),
            (None, _) => format!("it is not public, and {}: {again}", lack(login)),
        };
        Self::Denied(format!("registry {registry} denies access to {repository}: {why}"))
    }

    /// Its token server refuses a token in words that say neither that it denies one nor that it has trouble of its own.
    fn no_token(reference: &Reference, login: &Login, text: &str) -> Self {
        let Reference { registry, repository, .. } = reference;
        let again = log_in(registry);
        let remedy = match &login.file {
            Some(file) => format!("try again later; if the credentials of {} are wrong, {again}", file.display()),
            None if login.troubles.is_empty() => {
                format!("try again later; if it is not public, {}: {again}", lack(login))
            }
            None => format!("{}: mend that, or {again}; or try again later", lack(login)),
        };
        Self::Unavailable(format!(
            "registry {registry} gives no token for {repository}: {}: {remedy}",
            login.quote(text)
        ))
    }

    /// Whether the registry refuses the caller, rather than the request.
    pub(super) fn is_denial(error: &OciDistributionError) -> bool {
        use OciDistributionError as E;
        match error {
            E::UnauthorizedError { .. } | E::ServerError { code: 401 | 403, .. } => true,
            E::RegistryError { envelope, .. } => has(envelope, &[OciErrorCode::Unauthorized, OciErrorCode::Denied]),
            E::AuthenticationFailure(text) => is_denial(text),
            _ => false,
        }
    }

    fn absent(registry: &str) -> Self {
        Self::Refused(format!(
            "registry {registry} has no such repository, tag or digest: push it, or check the reference"
        ))
    }

    fn of_envelope(registry: &str, login: &Login, envelope: &OciEnvelope) -> Self {
        use OciErrorCode as C;
        let absent = [C::ManifestUnknown, C::NameUnknown, C::NotFound, C::BlobUnknown, C::ManifestBlobUnknown];
        if has(envelope, &absent) {
            Self::absent(registry)
        } else if has(envelope, &[C::Toomanyrequests]) {
            Self::Unavailable(format!("registry {registry} has had too many requests: try again later"))
        } else {
            let texts: Vec<_> = envelope.errors.iter().map(|error| error.message.as_str()).collect();
            Self::refused(registry, &login.quote(&texts.join("; ")))
        }
    }
}

/// Whether a token server's text denies a token. Its error is the same for every status but 200, also where the service is down:
/// only its text tells them apart.
fn is_denial(text: &str) -> bool {
    let text = text.to_lowercase();
    DENIAL_WORDS.iter().any(|word| text.contains(word))
}

/// Why there are no credentials.
fn lack(login: &Login) -> String {
    if login.troubles.is_empty() {
        let files: Vec<_> = credentials::files().iter().map(|file| file.display().to_string()).collect();
        return format!("there are no credentials for it in {}", files.join(", "));
    }
    format!("credentials for it could not be used ({})", one_line(&login.troubles.join("; ")))
}

fn log_in(registry: &str) -> String {
    format!("log in with `docker login {registry}` or `podman login {registry}`, or ask its owner")
}

fn has(envelope: &OciEnvelope, codes: &[OciErrorCode]) -> bool {
    envelope.errors.iter().any(|error| codes.contains(&error.code))
}

fn is_wrong_digest(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<DigestError>())
}

/// The first cause of an error: what lies between says only that a connection was to be made.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// An error with what caused it, each said once.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            let _ = write!(text, ": {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(file: Option<&str>, troubles: &[&str]) -> Login {
        let troubles = troubles.iter().map(|&text| text.to_owned()).collect();
        Login { file: file.map(Into::into), troubles, ..Login::default() }
    }

    #[test]
    fn a_denial_says_whose_credentials_it_is_about() {
        let reference = "oci://h/team/x:1".parse().unwrap();
        let said = |file: Option<&str>, troubles: &[&str], token| match Error::denied_to(
            &reference,
            &login(file, troubles),
            token,
        ) {
            Error::Denied(text) if text.contains("h denies access to team/x: ") && text.contains("docker login h") => {
                text
            }
            other => panic!("{other}"),
        };
        assert!(said(None, &[], None).contains("not public, and there are no credentials for it in "));
        assert!(said(None, &["/a: no helper"], None).contains("could not be used (/a: no helper)"));
        assert!(said(Some("/a"), &[], None).contains("the credentials of /a are wrong, expired or revoked"));
        assert!(
            said(Some("/a"), &[], Some("x\ny")).contains("takes the credentials of /a no longer, or never did (x y)")
        );
    }

    #[test]
    fn whatever_words_a_token_is_refused_in_the_credentials_that_could_not_be_used_are_named() {
        let reference = "oci://h/team/x:1".parse().unwrap();
        for text in [r#"{"details":"who are you"}"#, "", "401 Unauthorized", "<h1>503</h1>"] {
            let refused = OciDistributionError::AuthenticationFailure(text.to_owned());
            let said = Error::of(&reference, false, &login(None, &["/a: running x: no"]), refused).to_string();
            let words = ["registry h ", "team/x", "could not be used (/a: running x: no)", "docker login h"];
            assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
        }
        let none = Error::no_token(&reference, &login(None, &[]), "who").to_string();
        assert!(
            none.contains("gives no token for team/x: who: try again later; if it is not public, there are no"),
            "{none}"
        );
        let some = Error::no_token(&reference, &login(Some("/a"), &["/b: no"]), "who").to_string();
        assert!(some.contains("try again later; if the credentials of /a are wrong, log in"), "{some}");
    }

    #[test]
    fn only_what_may_pass_lets_a_copy_stand_in() {
        let reference = "oci://h/team/x:1".parse().unwrap();
        let of = |error| Error::of(&reference, false, &Login::default(), error);
        let server = |code| OciDistributionError::ServerError { code, url: String::new(), message: "x\ny".to_owned() };
        assert!(matches!(of(server(503)), Error::Unavailable(text) if text.contains("answers 503: x y")));
        assert!(matches!(of(server(404)), Error::Refused(text) if text.contains("push it")));
        let denied = OciDistributionError::UnauthorizedError { url: String::new() };
        assert!(Error::is_denial(&denied) && Error::is_denial(&server(403)) && !Error::is_denial(&server(404)));
        let token = |text: &str| OciDistributionError::AuthenticationFailure(text.to_owned());
        for text in [r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#, r#"{"details":"incorrect username or password"}"#] {
            assert!(Error::is_denial(&token(text)), "{text}");
            assert!(matches!(of(token(text)), Error::Denied(_)), "{text}");
        }
        for text in ["<h1>503 Service Temporarily Unavailable</h1>", r#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#, ""] {
            assert!(!Error::is_denial(&token(text)), "{text}");
            assert!(matches!(of(token(text)), Error::Unavailable(said) if said.contains(text)), "{text}");
        }
        let cut = OciDistributionError::IoError(std::io::Error::other("connection reset"));
        assert!(matches!(of(cut), Error::Unavailable(text) if text.contains("does not answer: connection reset")));
        let digest = DigestError::VerificationError { expected: "a".to_owned(), actual: "b".to_owned() };
        let wrong = OciDistributionError::IoError(std::io::Error::other(digest));
        assert!(matches!(of(wrong), Error::Refused(text) if text.contains("Expected a, got b")));
    }
}
