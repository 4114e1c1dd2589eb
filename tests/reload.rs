//! What changed in the configuration and does not count yet is said when a SIGHUP comes.

use crate::harness::{Host, Setup};

/// Writes a configuration, sends SIGHUP, and waits for the lines with these words.
fn reread(host: &Host, config: &str, lines: &[&[&str]]) {
    let file = host.directory.path().join("tidegate.toml");
    std::fs::write(file.with_extension("new"), config).unwrap();
    std::fs::rename(file.with_extension("new"), file).unwrap();
    host.process.signal("HUP");
    for words in lines {
        host.process.wait_for_line(words);
    }
}

#[test]
fn each_key_that_waits_for_a_restart_is_named() {
    let config = "[http]\nrequests_max = 500\n[plugins.x.settings]\nkey = 'a-secret'\n";
    let host = Setup::new().committed("downcase").config(config).start();
    let restart = "takes effect at the next start";
    reread(
        &host,
        "[http]\nrequests_max = 501\naddress = '127.0.0.1:1'\n[plugins.x]\npoll_ms = 7\n[plugins.x.settings]\nkey = 'another'\n",
        &[
            &["WARN", restart, "key=http.requests_max", "in_force=\"500\"", "configured=\"501\""],
            &["WARN", restart, "key=plugins.x.poll_ms", "in_force=\"unset\"", "configured=\"7\""],
            &["WARN", restart, "key=plugins.x.settings.key"],
        ],
    );
    // Two lines of the same SIGHUP would stand beside these.
    reread(
        &host,
        "[http]\nrequests_max = 'many'\n",
        &[&["ERROR", "not taken, and what was in force still is", "line 2, column 16"]],
    );
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    let log = host.process.stderr();
    assert_eq!(log.matches(restart).count(), 3, "{log}");
    // A flag has the last word over the file, before and after; what guests are set up with may be secret.
    for absent in ["key=http.address", "secret", "another"] {
        assert!(!log.contains(absent), "{absent} is in {log}");
    }
    // Back to what is in force: nothing waits.
    reread(&host, config, &[&["INFO", "the configuration is the one in force"]]);
    reread(&host, "[", &[&["ERROR", "line 1, column"]]);
    assert_eq!(host.process.stderr().matches(restart).count(), 3);
    assert_eq!(host.stop(), 0);
}
