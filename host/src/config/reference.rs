//! A component's reference in a registry: `oci://registry/repository:tag`, or `…@sha256:…`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// What a reference begins with where a file could stand too.
pub const SCHEME: &str = "oci://";
/// As the specification of OCI's registries has it.
const TAG_BYTES_MAX: usize = 128;
const REPOSITORY_BYTES_MAX: usize = 255;

/// Which registry, which repository in it, and what of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host, with a port unless it is the usual one.
    pub registry: String,
    /// The path below it.
    pub repository: String,
    /// A tag, or a digest.
    pub version: Version,
}

/// What of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// A name that can be moved from one artifact to another.
    Tag(String),
    /// `sha256:` and the digest of a manifest: one artifact for ever.
    Digest(String),
}

impl Reference {
    /// The repository's last part, by which a plugin is named that is given no other name.
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// Whether what it stands for may change.
    pub fn is_tag(&self) -> bool {
        matches!(self.version, Version::Tag(_))
    }

    /// The same repository's artifact with this digest.
    pub fn pinned(&self, digest: &str) -> Self {
        Self { version: Version::Digest(digest.to_owned()), ..self.clone() }
    }

    /// Whether the registry's name says that it is on this very machine.
    pub fn is_loopback(&self) -> bool {
        let host = host_of(&self.registry);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// The registry's name without the port.
fn host_of(registry: &str) -> &str {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty() => host,
        _ => registry,
    };
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a text is a registry's name: HOST or HOST:PORT.
///
/// # Errors
/// Quotes the text and says what a registry looks like, when it is none.
pub fn check_registry(text: &str) -> Result<(), String> {
    let host = host_of(text);
    let bracketed = text.starts_with('[');
    let port = text.get(host.len() + if bracketed { 2 } else { 0 }..).unwrap_or_default();
    let sound_host = if bracketed {
        host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6())
    } else {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
    };
    let sound_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if sound_host && sound_port {
        Ok(())
    } else {
        Err(format!(
            "`{text}` is not a registry such as ghcr.io, registry.example:5000 or {}:5000",
            Ipv4Addr::LOCALHOST
        ))
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not a reference such as oci://ghcr.io/team/downcase:1.2: {why}");
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        let (registry, path) = rest.split_once('/').ok_or_else(|| wrong("it names no repository"))?;
        check_registry(registry).map_err(|why| wrong(&why))?;
        let (path, digest) = match path.split_once('@') {
            Some((path, digest)) => (path, Some(digest)),
            None => (path, None),
        };
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if repository.len() > REPOSITORY_BYTES_MAX || !repository.split('/').all(is_repository_part) {
            return Err(wrong("a repository is made of lower-case letters, digits and single separators"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag is made of at most 128 letters, digits, `_`, `.` and `-`"));
        }
        let version = match (tag, digest) {
            // A tag beside it is for people to read.
            (_, Some(digest)) if is_digest(digest) => Version::Digest(digest.to_owned()),
            (_, Some(_)) => return Err(wrong("a digest is `sha256:` and 64 digits from 0 to f")),
            (Some(tag), None) => Version::Tag(tag.to_owned()),
            (None, None) => return Err(wrong("say which one of the repository, with :TAG or @sha256:…")),
        };
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), version })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        match &self.version {
            Version::Tag(tag) => write!(f, ":{tag}"),
            Version::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

fn is_repository_part(part: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [part.bytes().next(), part.bytes().last()];
    ends.iter().all(|end| end.is_some_and(letter))
        && part.bytes().all(|byte| letter(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    digest.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && digits.bytes().all(hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Reference {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn references_read_back_as_written() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "oci://ghcr.io/team/downcase:1.2".to_owned(),
            "oci://localhost:5000/x:latest".to_owned(),
            "oci://[::1]:5000/a/b/c-d_e.f:V-1_0".to_owned(),
            format!("oci://registry.example/x@{digest}"),
        ] {
            assert_eq!(parsed(&text).to_string(), text);
            assert_eq!(parsed(text.strip_prefix(SCHEME).unwrap()), parsed(&text));
        }
        let both = parsed(&format!("oci://h/team/x:1@{digest}"));
        assert_eq!((both.name(), both.is_tag()), ("x", false));
        assert_eq!(parsed("oci://h/team/x:1").pinned(&digest), both);
    }

    #[test]
    fn what_is_no_reference_is_named_with_a_remedy() {
        for (text, why) in [
            ("oci://", "no repository"),
            ("oci://downcase:1", "no repository"),
            ("oci:///x:1", "not a registry"),
            ("oci://h:70000/x:1", "not a registry"),
            ("oci://user@h/x:1", "not a registry"),
            ("oci://h/x", "with :TAG"),
            ("oci://h/X:1", "lower-case"),
            ("oci://h//x:1", "lower-case"),
            ("oci://h/../x:1", "lower-case"),
            ("oci://h/x:-1", "a tag is made of"),
            ("oci://h/x:", "a tag is made of"),
            ("oci://h/x@sha256:12", "a digest is"),
            ("oci://h/x@md5:12", "a digest is"),
        ] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_loopback_registry_is_known_by_its_name_alone() {
        for text in ["localhost/x:1", "localhost:5000/x:1", "127.0.0.1:1/x:1", "127.9.9.9/x:1", "[::1]:5000/x:1"] {
            assert!(parsed(text).is_loopback(), "{text}");
        }
        for text in ["localhost.example/x:1", "127.1:5000/x:1", "10.0.0.1/x:1", "[::2]/x:1", "ghcr.io/x:1"] {
            assert!(!parsed(text).is_loopback(), "{text}");
        }
    }
}
