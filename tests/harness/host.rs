//! A host that runs: its surfaces, its answers, its ledger and its end.

use super::{Answer, Client, Process, assert_balanced, tidegate, wait_for};
use crate::balance::assert_even;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A running host that has printed `ready`, and its temporary directory.
pub struct Host {
    pub process: Process,
    pub directory: tempfile::TempDir,
    pub(super) surfaces: BTreeMap<String, String>,
}

impl Host {
    /// The address that the host printed for a surface: `http`, `admin`, `publish` or `frontend`.
    pub fn surface(&self, name: &str) -> &str {
        &self.surfaces[name]
    }

    pub fn plugin_path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.wasm"))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.request("POST", path, Some(body))
    }

    #[track_caller]
    pub fn request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        Client::new(self).request(method, path, body).expect("the host answers")
    }

    pub fn admin(&self, path: &str) -> Answer {
        Client::at(self.surface("admin")).request("GET", path, None).expect("the admin surface answers")
    }

    #[track_caller]
    pub fn admin_request(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        Client::at(self.surface("admin")).request(method, path, body).expect("the admin surface answers")
    }

    /// Who is connected to a surface, by their addresses. No two of them may have the same.
    #[track_caller]
    pub fn peers(&self, surface: &str) -> BTreeMap<String, Value> {
        let list = self.admin("/peers").json()[surface].take();
        let peers = list["peers"].as_object().unwrap_or_else(|| panic!("no peers of {surface}: {list}"));
        let by_address = peers.values().map(|peer| (peer["address"].as_str().unwrap().to_owned(), peer.clone()));
        let by_address: BTreeMap<_, _> = by_address.collect();
        assert_eq!(list["count"], by_address.len(), "{list}");
        by_address
    }

    /// Waits until a surface has so many peers.
    #[track_caller]
    pub fn wait_for_peers(&self, surface: &str, count: usize) -> BTreeMap<String, Value> {
        wait_for("the peers to come and go", || Some(self.peers(surface)).filter(|peers| peers.len() == count))
    }

    /// What `/readyz` says, line by line, each without the time since when it is so.
    #[track_caller]
    pub fn readiness(&self) -> Vec<String> {
        let answer = self.admin("/readyz");
        let line = |line: &str| {
            let (what, since) = line.rsplit_once(" since ").unwrap_or_else(|| panic!("no time: {line}"));
            assert!(since.len() == 20 && since.ends_with('Z'), "{line}");
            what.trim_end_matches(',').to_owned()
        };
        answer.text().lines().map(line).collect()
    }

    /// The status document of a plugin, from the admin surface.
    #[track_caller]
    pub fn status(&self, plugin: &str) -> serde_json::Value {
        let answer = self.admin(&format!("/plugins/{plugin}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// The ledger at this moment, from the admin surface.
    #[track_caller]
    pub fn ledger(&self) -> serde_json::Value {
        let client = Client::at(self.surface("admin"));
        // The token, if the test wrote one for the host.
        let token = std::fs::read_to_string(self.directory.path().join("token")).unwrap_or_default();
        let bearer = format!("Bearer {}", token.trim());
        let answer = client.request_with("GET", "/ledger", &[("authorization", &bearer)], None);
        let answer = answer.expect("the admin surface answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Waits until the counts of a hop are these; others may be any.
    #[track_caller]
    pub fn wait_for_hop(&self, hop: &str, expected: &serde_json::Value) {
        wait_for(&format!("{hop} to be {expected}, and not {}", self.ledger()["hops"][hop]), || {
            let counts = &self.ledger()["hops"][hop];
            expected.as_object().unwrap().iter().all(|(key, value)| counts[key] == *value).then_some(())
        });
    }

    /// Runs a command of this group, such as `plugin`, against the admin surface: exit code, stdout, stderr.
    pub fn run(&self, group: &str, arguments: &[&str]) -> (i32, String, String) {
        let mut command = tidegate();
        command.arg(group).args(arguments).env("TIDEGATE_ADMIN", self.surface("admin").trim_start_matches("http://"));
        let mut process = Process::start(command.current_dir(self.directory.path()));
        let code = process.wait().code().expect("an exit code");
        (code, process.stdout(), process.stderr())
    }

    /// As [`Host::run`], for a command that succeeds and has nothing to say beside its stdout.
    #[track_caller]
    pub fn output(&self, group: &str, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(group, arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
        stdout
    }

    /// Stops the host with SIGTERM and returns its exit code; the final ledger must balance.
    #[track_caller]
    pub fn stop(mut self) -> i32 {
        self.process.signal("TERM");
        self.wait()
    }

    /// As [`Host::stop`], but returns the host's stderr as well and keeps its directory.
    #[track_caller]
    pub fn stop_and_tell(&mut self) -> (i32, String) {
        self.process.signal("TERM");
        (self.wait(), self.process.stderr())
    }

    /// As [`Host::stop`], for a host that has been told to end in another way.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let code = self.process.wait().code().expect("an exit code");
        assert_balanced(&self.process.stderr());
        code
    }
}

/// Checks the ledger of a host that the test did not stop: it must add up, whatever is in flight.
impl Drop for Host {
    fn drop(&mut self) {
        let has_admin = self.surface("admin") != "none";
        if has_admin && !std::thread::panicking() && !self.process.has_ended() {
            assert_even(&self.ledger());
        }
    }
}
