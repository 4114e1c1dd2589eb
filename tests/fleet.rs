//! Many hosts: side by side, and a plugin changed on one after the other, or on none.

mod interrupted;
mod rolling;
mod status;
mod unwell;

use crate::harness::{Client, Host, Process, bytes, tidegate};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where the admin surface of a host is.
fn admin(host: &Host) -> String {
    host.surface("admin").trim_start_matches("http://").to_owned()
}

/// Runs `tidegate fleet`: exit code, stdout, stderr.
fn fleet(arguments: &[&str]) -> (i32, String, String) {
    let mut process = Process::start(tidegate().arg("fleet").args(arguments));
    let code = process.wait().code().expect("an exit code");
    (code, process.stdout(), process.stderr())
}

/// The stdout of a command that ends with this code, and has nothing to say beside that.
#[track_caller]
fn told(code: i32, arguments: &[&str]) -> String {
    let (found, stdout, stderr) = fleet(arguments);
    assert_eq!((found, stderr.as_str()), (code, ""), "{arguments:?}: {stdout}");
    stdout
}

/// `fleet load p FILE HOST…`, with a watch that tests wait for, and further flags.
fn load<'a>(file: &'a str, hosts: &'a [String], flags: &[&'a str]) -> Vec<&'a str> {
    let hosts = hosts.iter().map(String::as_str);
    ["load", "p", file, "--watch=300ms"].into_iter().chain(hosts).chain(flags.iter().copied()).collect()
}

fn digest(component: &[u8]) -> String {
    Sha256::digest(component).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn written(directory: &Path, name: &str, component: &[u8]) -> String {
    let file = directory.join(name);
    std::fs::write(&file, component).unwrap();
    file.display().to_string()
}

/// What serves as `p`.
#[track_caller]
fn serving(host: &Host) -> String {
    host.status("p")["digest"].as_str().unwrap_or("nothing").to_owned()
}

/// Asks all hosts for `p` without a pause while the work is done: each answer has to be one of these.
fn under_traffic<T>(hosts: &[&Host], answers: &[&str], work: impl FnOnce() -> T) -> T {
    let (enough, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = std::thread::scope(|scope| {
        for host in hosts {
            scope.spawn(|| {
                let client = Client::new(host);
                while !enough.load(Ordering::Relaxed) {
                    let answer = client.request("POST", "/p/", Some(b"bb")).expect("an answer");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(answers.contains(&answer.text()), "{}", answer.text());
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let done = work();
        enough.store(true, Ordering::Relaxed);
        done
    });
    assert!(count.load(Ordering::Relaxed) > 0);
    done
}

/// The committed component of this name, as `p`.
fn host_of(name: &str) -> crate::harness::Setup {
    crate::harness::Setup::new().plugin("p", &bytes(name))
}
