//! Encryption of the ZeroMQ sockets, and who is let in.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `[curve]`: with both keys set, PUB and frontend speak CURVE alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Curve {
    /// The file with the host's secret key; `tidegate keygen` makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_file: Option<PathBuf>,
    /// The directory with the public keys of the clients, one a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorized_keys_dir: Option<PathBuf>,
}

impl Curve {
    /// Key file and directory, or none for no CURVE.
    ///
    /// # Errors
    /// When only one of the two is set.
    pub fn files(&self) -> Result<Option<(&Path, &Path)>, String> {
        let one_without = |set, other| {
            Err(format!(
                "{set} is set and {other} is not: CURVE needs both (--curve-secret-key FILE and \
                 --curve-authorized-keys DIR); leave out both for no encryption"
            ))
        };
        match (&self.secret_key_file, &self.authorized_keys_dir) {
            (Some(file), Some(directory)) => Ok(Some((file, directory))),
            (None, None) => Ok(None),
            (Some(_), None) => one_without("curve.secret_key_file", "curve.authorized_keys_dir"),
            (None, Some(_)) => one_without("curve.authorized_keys_dir", "curve.secret_key_file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_without_the_other_is_named() {
        let curve = |secret: Option<&str>, keys: Option<&str>| Curve {
            secret_key_file: secret.map(PathBuf::from),
            authorized_keys_dir: keys.map(PathBuf::from),
        };
        assert_eq!(curve(None, None).files(), Ok(None));
        assert_eq!(curve(Some("s"), Some("d")).files(), Ok(Some((Path::new("s"), Path::new("d")))));
        let error = curve(Some("s"), None).files().expect_err("no directory");
        assert!(error.starts_with("curve.secret_key_file is set and curve.authorized_keys_dir is not"), "{error}");
        let error = curve(None, Some("d")).files().expect_err("no key");
        assert!(error.contains("--curve-secret-key FILE"), "{error}");
    }
}
