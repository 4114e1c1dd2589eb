//! Keys: `keygen` makes them and never overwrites a file, and errors name the file that is missing or wrong.

use crate::harness::{Process, Setup, tidegate};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A key pair that `tidegate keygen` made.
pub struct Pair {
    pub directory: PathBuf,
    pub public: String,
    pub secret: String,
}

impl Pair {
    pub fn new(directory: PathBuf) -> Self {
        let mut process = Process::start(tidegate().arg("keygen").arg(&directory));
        assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
        let key = |name: &str| fs::read_to_string(directory.join(name)).unwrap().trim_end().to_owned();
        let (public, secret) = (key("public.key"), key("secret.key"));
        assert!(process.stdout().contains(&public) && !process.stdout().contains(&secret), "{}", process.stdout());
        Self { directory, public, secret }
    }

    pub fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn keygen_writes_a_pair_and_never_over_one() {
    let directory = tempfile::tempdir().unwrap();
    let pair = Pair::new(directory.path().join("new/keys"));
    assert_eq!((mode(&pair.directory), mode(pair.file("secret.key"))), (0o700, 0o600));
    assert_eq!((pair.public.len(), pair.secret.len()), (40, 40));
    assert_eq!(fs::read(pair.file("secret.key")).unwrap().len(), 41);

    for kept in ["secret.key", "public.key"] {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join(kept), "precious").unwrap();
        let mut process = Process::start(tidegate().arg("keygen").arg(other.path()));
        assert_eq!(process.wait().code(), Some(1));
        let stderr = process.stderr();
        assert!(stderr.contains(&format!("{kept} exists: name another directory")), "{stderr}");
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(other.path().join(kept)).unwrap(), "precious");
    }
}

#[test]
fn half_a_configuration_is_refused_with_what_is_missing() {
    let refusal = |arguments: &[&str]| {
        let setup = Setup::new().committed("downcase").with(arguments);
        let mut process = Process::start(&mut setup.command());
        (process.wait().code(), process.stderr())
    };
    let (code, stderr) = refusal(&["--curve-secret-key=x"]);
    assert!(code == Some(2) && stderr.contains("curve.authorized_keys_dir is not: CURVE needs both"), "{stderr}");
    let (code, stderr) = refusal(&["--curve-authorized-keys=x"]);
    assert!(code == Some(2) && stderr.contains("curve.secret_key_file is not: CURVE needs both"), "{stderr}");
    let (code, stderr) = refusal(&["--curve-authorized-keys=x", "--curve-secret-key=nowhere"]);
    assert!(code == Some(1) && stderr.contains("reading the secret key nowhere: No such file"), "{stderr}");

    let directory = tempfile::tempdir().unwrap();
    let pair = Pair::new(directory.path().join("k"));
    let secret = format!("--curve-secret-key={}", pair.file("secret.key"));
    let (code, stderr) = refusal(&["--curve-authorized-keys=nowhere", &secret]);
    assert!(code == Some(1) && stderr.contains("reading the authorized keys in nowhere"), "{stderr}");

    for (arguments, words) in [
        (&["--key", &pair.file("secret.key")][..], "--server-key <KEY|FILE>"),
        (&["--server-key", &pair.public], "--key <FILE>"),
        (
            &["--server-key", "short", "--key", &pair.file("secret.key")],
            "`short` is neither a key of 40 characters nor",
        ),
        (&["--server-key", &pair.public, "--key", "nowhere"], "reading the secret key nowhere: No such file"),
    ] {
        for subcommand in ["subscribe", "request"] {
            let mut process = Process::start(tidegate().current_dir(&directory).arg(subcommand).args(arguments));
            assert_eq!(process.wait().code(), Some(2), "{}", process.stderr());
            assert!(process.stderr().contains(words), "{words} is not in {}", process.stderr());
        }
    }
}
