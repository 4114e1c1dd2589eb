//! A real registry: Debian's docker-registry, on a free port and with its own directory.

use crate::harness::{Client, LONG_PATIENCE, Process, wait_up_to};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Registry {
    process: Option<Process>,
    directory: tempfile::TempDir,
    /// What else its configuration says, as lines.
    config: String,
    /// `127.0.0.1:PORT`
    pub address: String,
}

/// Starts a registry; returns none, and prints why, where the program is missing.
pub fn registry() -> Option<Registry> {
    Registry::start(None)
}

impl Registry {
    /// Starts a registry; with the content of an htpasswd file, it asks for credentials.
    pub fn start(htpasswd: Option<&str>) -> Option<Self> {
        Self::start_with(|directory| {
            let Some(htpasswd) = htpasswd else { return String::new() };
            std::fs::write(directory.join("htpasswd"), htpasswd).unwrap();
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}/htpasswd\n", directory.display())
        })
    }

    /// Starts a registry with files that are put into its directory, and with these lines behind its section `http`.
    pub fn start_with(prepare: impl FnOnce(&Path) -> String) -> Option<Self> {
        if Command::new("docker-registry").arg("--version").output().is_err() {
            eprintln!(
                "skipped: there is no docker-registry here; apt-get install --no-install-recommends docker-registry"
            );
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let config = prepare(directory.path());
        let mut registry = Self { process: None, directory, config, address: "127.0.0.1:0".to_owned() };
        registry.run();
        Some(registry)
    }

    /// Starts the process, after a kill at the same address.
    pub fn run(&mut self) {
        let (directory, address) = (self.directory.path().display(), &self.address);
        let config = format!(
            "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\nhttp:\n  \
             addr: {address}\n  secret: none\n{}",
            self.config
        );
        let file = self.directory.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let process = Process::start(Command::new("docker-registry").arg("serve").arg(file));
        self.address = wait_up_to(LONG_PATIENCE, "the registry to listen", || {
            let log = process.stderr();
            let (_, rest) = log.split_once("listening on ")?;
            // Behind a comma it says that it speaks TLS.
            Some(rest.split_once(['"', ','])?.0.to_owned())
        });
        self.process = Some(process);
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.signal("KILL");
        process.wait();
    }

    /// `oci://127.0.0.1:PORT/team/x:TAG`
    pub fn reference(&self, tag: &str) -> String {
        format!("oci://{}/team/x:{tag}", self.address)
    }

    pub fn client(&self) -> Client {
        Client::at(&format!("http://{}/v2/team/x", self.address))
    }

    /// The manifest of a tag.
    pub fn manifest(&self, tag: &str) -> Value {
        let accept = [("accept", "application/vnd.oci.image.manifest.v1+json")];
        let answer = self.client().request_with("GET", &format!("/manifests/{tag}"), &accept, None).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Uploads a manifest under a tag without any checks.
    pub fn put_manifest(&self, tag: &str, manifest: &Value) {
        let content_type = [("content-type", manifest["mediaType"].as_str().unwrap())];
        let body = manifest.to_string();
        let path = format!("/manifests/{tag}");
        let answer = self.client().request_with("PUT", &path, &content_type, Some(body.as_bytes())).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.text());
    }

    /// Uploads a blob. Returns its digest, `sha256:` in front.
    pub fn put_blob(&self, blob: &[u8]) -> String {
        let digest = format!("sha256:{}", tidegate::plugin::digest(blob));
        let started = self.client().request("POST", "/blobs/uploads/", Some(b"")).unwrap();
        let place = started.header("location").to_owned();
        let (_, path) = place.split_once("/v2/team/x").expect("a place below the repository");
        let put = self.client().request("PUT", &format!("{path}&digest={digest}"), Some(blob)).unwrap();
        assert_eq!(put.status, 201, "{}", put.text());
        digest
    }

    /// The file that holds a blob, by the SHA-256 in hexadecimal.
    pub fn blob(&self, digest: &str) -> PathBuf {
        let blobs = Path::new("data/docker/registry/v2/blobs/sha256");
        self.directory.path().join(blobs).join(&digest[..2]).join(digest).join("data")
    }
}
