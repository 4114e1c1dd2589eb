//! Host names of the test's own: a hosts file that a command gets in its own mount namespace, and that may change while it runs.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Whether the machine has such namespaces, and IPv6. Where it has not, the test prints that it is skipped.
pub fn has_names() -> bool {
    let can = unshare("true").output().is_ok_and(|output| output.status.success());
    let has = can && TcpListener::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("skipped: no mount namespace for a hosts file of its own here, or no IPv6");
    }
    has
}

/// The command with this file as its hosts file, and in this directory.
pub fn with_names(hosts: &Path, directory: &Path, command: &Command) -> Command {
    let mut known = unshare("mount --bind \"$0\" /etc/hosts && exec \"$@\"");
    known.arg(hosts).arg(command.get_program()).args(command.get_args()).current_dir(directory);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => known.env(name, value),
            None => known.env_remove(name),
        };
    }
    known
}

fn unshare(words: &str) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", words]);
    unshare
}
