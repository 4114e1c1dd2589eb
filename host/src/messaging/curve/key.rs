//! CURVE keys as text: 40 characters of Z85, alone in a file or in a certificate as `zmq.auth` of pyzmq writes it.

use crate::config::KEY_FILE_BYTES_MAX;
use rustix::fs::OFlags;
use std::ffi::CString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zmq_sys::beyond;

/// The length of a key in Z85.
const KEY_CHARACTERS: usize = 40;
const Z85: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Which key of a pair is looked for in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// Everybody may have it.
    Public,
    /// Its owner alone has it.
    Secret,
}

impl Half {
    /// As a certificate names it.
    fn name(self) -> &'static str {
        match self {
            Self::Public => "public-key",
            Self::Secret => "secret-key",
        }
    }
}

/// Both keys of one party, in Z85.
#[derive(Clone)]
pub struct KeyPair {
    /// The public key, by which others identify it.
    pub public: String,
    /// The secret key, with which it proves its identity.
    pub secret: String,
}

/// The secret key stays out of every log.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

impl KeyPair {
    /// A new pair.
    ///
    /// # Errors
    /// When libzmq cannot make keys, because it was built without CURVE.
    pub fn generate() -> Result<Self, String> {
        let pair = zmq::CurveKeyPair::new().map_err(crate::messaging::socket::cause)?;
        let text = |key: &[u8]| zmq::z85_encode(key).map_err(|error| error.to_string());
        Ok(Self { public: text(&pair.public_key)?, secret: text(&pair.secret_key)? })
    }

    /// Reads the file of a secret key.
    ///
    /// # Errors
    /// When the file cannot be read or holds no secret key; names the file and what to do.
    pub fn read(path: &Path) -> Result<Self, String> {
        let named = |cause| format!("reading the secret key {}: {cause}", path.display());
        let (_, text) = read_text(path).map_err(|error| named(error.to_string()))?;
        let secret = find_key(&text, Half::Secret).map_err(named)?;
        let public = CString::new(secret.as_str()).ok().and_then(|secret| beyond::public_key(&secret));
        let public = public.ok_or_else(|| named("libzmq finds no public key for it".to_owned()))?;
        Ok(Self { public, secret })
    }
}

/// A warning if the permissions of a secret key's file let other users read or write it.
pub fn warning_if_open_to_others(path: &Path) -> Option<String> {
    let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode()) & 0o777;
    let path = path.display();
    (mode & 0o077 != 0)
        .then(|| format!("other users can get at the secret key {path} (mode {mode:03o}): chmod 600 {path}"))
}

/// A public key, given as it is or as the file that holds it.
///
/// # Errors
/// When the text is no key and names no file that holds one.
pub fn public_key(text: &str) -> Result<String, String> {
    if is_key(text) {
        return Ok(text.to_owned());
    }
    let path = Path::new(text);
    match read_text(path) {
        Ok((_, content)) => {
            find_key(&content, Half::Public).map_err(|cause| format!("reading the key {text}: {cause}"))
        }
        Err(error) => {
            Err(format!("`{text}` is neither a key of {KEY_CHARACTERS} characters nor a file with one: {error}"))
        }
    }
}

/// Opens a file and reads it, up to the bound on the files of keys. A pipe in its place does not block.
///
/// # Errors
/// When the system does not open or read it.
pub(super) fn read_text(path: &Path) -> io::Result<(File, String)> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(KEY_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    // A file that is not text holds no key, which the caller reports.
    Ok((file, String::from_utf8_lossy(&bytes).into_owned()))
}

/// The key that the text of a file holds.
///
/// # Errors
/// When it holds none; says why.
pub(super) fn find_key(text: &str, half: Half) -> Result<String, String> {
    let bare = text.trim();
    if is_key(bare) {
        return Ok(bare.to_owned());
    }
    let value = |name: &str| text.lines().find_map(|line| certificate_value(line, name));
    match value(half.name()) {
        Some(key) if is_key(key) => Ok(key.to_owned()),
        Some(_) => Err(format!("its {} is not {KEY_CHARACTERS} characters of Z85", half.name())),
        None if half == Half::Secret && value(Half::Public.name()).is_some() => {
            Err("it holds a public key only: name the file with the secret one".to_owned())
        }
        None if bare.is_empty() => Err("it is empty".to_owned()),
        None => Err(format!(
            "it holds neither {KEY_CHARACTERS} characters of Z85 nor a certificate with a {}; `tidegate keygen` writes keys",
            half.name()
        )),
    }
}

/// `    public-key = "…"`
fn certificate_value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once('=')?;
    (found.trim() == name).then(|| value.trim().trim_matches('"'))
}

/// Whether a text is a key. libzmq's own check accepts characters outside Z85, and groups that exceed 32 bits.
pub(super) fn is_key(text: &str) -> bool {
    text.len() == KEY_CHARACTERS
        && text.chars().all(|character| Z85.contains(character))
        && zmq::z85_decode(text).is_ok_and(|key| zmq::z85_encode(&key).is_ok_and(|back| back == text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";

    #[test]
    fn a_key_is_found_alone_and_in_a_certificate() {
        assert_eq!(find_key(&format!("\n {KEY}\r\n"), Half::Public), Ok(KEY.to_owned()));
        let certificate = format!("# made today\nmetadata\ncurve\n    public-key = \"{KEY}\"\n");
        assert_eq!(find_key(&certificate, Half::Public), Ok(KEY.to_owned()));
        let both = format!("{certificate}    secret-key = \"{}\"\n", "0".repeat(40));
        assert_eq!(find_key(&both, Half::Public), Ok(KEY.to_owned()));
        assert_eq!(find_key(&both, Half::Secret), Ok("0".repeat(40)));
    }

    #[test]
    fn what_is_no_key_is_told() {
        let certificate = format!("curve\n    public-key = \"{KEY}\"\n");
        for (text, half, expected) in [
            ("", Half::Public, "it is empty"),
            (&KEY[1..], Half::Public, "neither 40 characters"),
            (&KEY.replace('r', "~"), Half::Public, "neither 40 characters"),
            // Five times # is more than 32 bits.
            (&"#".repeat(40), Half::Public, "neither 40 characters"),
            ("curve\n    public-key = \"short\"", Half::Public, "its public-key is not 40"),
            (&certificate, Half::Secret, "a public key only"),
        ] {
            let error = find_key(text, half).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_generated_pair_belongs_together() {
        let pair = KeyPair::generate().expect("a pair");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("secret.key");
        std::fs::write(&path, format!("{}\n", pair.secret)).expect("a file");
        let read = KeyPair::read(&path).expect("a key");
        assert_eq!((&read.public, &read.secret), (&pair.public, &pair.secret));
        assert!(!format!("{read:?}").contains(&pair.secret));
    }

    #[test]
    fn a_public_key_comes_as_text_or_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("public.key");
        std::fs::write(&path, KEY).expect("a file");
        assert_eq!(public_key(KEY), Ok(KEY.to_owned()));
        assert_eq!(public_key(&path.display().to_string()), Ok(KEY.to_owned()));
        let error = public_key("nowhere.key").expect_err("no file");
        assert!(error.starts_with("`nowhere.key` is neither a key of 40 characters nor a file with one: "), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            for half in [Half::Public, Half::Secret] {
                if let Ok(key) = find_key(&text, half) {
                    prop_assert!(is_key(&key));
                }
            }
        }
    }
}
