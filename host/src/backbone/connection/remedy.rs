//! What keeps the connection to NATS away, in words that a server cannot make long, and what helps.

use crate::backbone::complaint::{WORDS_BYTES_MAX, words};
use crate::config::Nats;
use async_nats::Server;
use std::fmt::Write as _;
use std::path::Path;

/// What the client says in front of the cause.
const KINDS: [&str; 4] = ["IO error: ", "TLS error: ", "failed signing nonce: ", "authorization violation: nats: "];

/// Why the latest attempts at all servers failed; none if none did.
pub(super) fn causes(servers: &[Server]) -> Option<String> {
    let mut causes: Vec<String> = Vec::new();
    for error in servers.iter().filter_map(|server| server.last_error.as_deref()) {
        let cause = KINDS.iter().find_map(|kind| error.strip_prefix(kind)).unwrap_or(error);
        let cause = words(cause);
        if !causes.contains(&cause) && causes.iter().map(String::len).sum::<usize>() <= WORDS_BYTES_MAX {
            causes.push(cause);
        }
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}

/// A cause with what helps against it, where that is known.
pub(super) fn with_remedy(nats: &Nats, cause: &str) -> String {
    let mut text = cause.to_owned();
    if let Some(remedy) = remedy(nats, &cause.to_lowercase()) {
        // Writing into a text does not fail.
        let _ = write!(text, ": {remedy}");
    }
    text
}

fn remedy(nats: &Nats, cause: &str) -> Option<String> {
    let has = |words: &[&str]| words.iter().any(|words| cause.contains(words));
    let named = |key: &str, file: &Path| format!("nats.{key} {}", file.display());
    if has(&["authorization violation", "authentication expired", "authentication revoked"]) {
        let files = [("credentials_file", &nats.credentials_file), ("password_file", &nats.password_file)];
        let files = files.into_iter().chain([("token_file", &nats.token_file)]);
        let files: Vec<_> = files.filter_map(|(key, file)| Some(named(key, file.as_deref()?))).collect();
        return Some(if files.is_empty() {
            "set nats.credentials_file, nats.user or nats.token_file".to_owned()
        } else {
            format!("the servers do not take {}, or no more: write it anew, and it is read again", files.join(" and "))
        });
    }
    // The second is by an authority of the same name.
    if has(&["unknownissuer", "badsignature"]) {
        return Some(match &nats.tls_ca {
            Some(file) => format!("{} has not the authority of its certificate", named("tls_ca", file)),
            None => "set nats.tls_ca to a file with the certificate of its authority".to_owned(),
        });
    }
    if has(&["not valid for name", "notvalidforname"]) {
        return Some("its certificate has another name: write nats.url with one that it has".to_owned());
    }
    if has(&["certificate expired", "certificate not valid yet"]) {
        return Some("renew the certificate of the server, or mend a clock".to_owned());
    }
    if has(&["alert: certificaterequired", "alert: badcertificate", "alert: unknownca", "alert: certificateexpired"]) {
        return Some(match &nats.tls_cert {
            Some(file) => format!("the server does not take {}", named("tls_cert", file)),
            None => "set nats.tls_cert and nats.tls_key, the certificate that the server asks for".to_owned(),
        });
    }
    if has(&["could not add certificate or key"]) {
        return Some("nats.tls_key is not the key of nats.tls_cert".to_owned());
    }
    if has(&["invalidcontenttype"]) {
        return Some(
            "the server has no TLS: give it some, or write nats.url without, and leave out nats.tls_ca".to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_names_the_file_that_is_in_force() {
        let plain = Nats::at("tls://n:4222".to_owned()).expect("it is a server");
        let file = Some("/x".into());
        let full = Nats { credentials_file: file.clone(), tls_ca: file.clone(), tls_cert: file, ..plain.clone() };
        for (nats, cause, words) in [
            (&plain, "authorization violation", "set nats.credentials_file"),
            (&full, "nats: User Authentication Expired", "nats.credentials_file /x"),
            (&plain, "invalid peer certificate: UnknownIssuer", "set nats.tls_ca"),
            (&full, "invalid peer certificate: UnknownIssuer", "nats.tls_ca /x"),
            (&full, "invalid peer certificate: BadSignature", "nats.tls_ca /x"),
            (&plain, "received fatal alert: CertificateRequired", "set nats.tls_cert"),
            (&full, "received fatal alert: BadCertificate", "nats.tls_cert /x"),
        ] {
            let text = with_remedy(nats, cause);
            assert!(text.starts_with(cause) && text.contains(words), "{text}");
        }
        assert_eq!(with_remedy(&full, "Connection refused"), "Connection refused");
    }
}
