//! What a SIGHUP does to the limits and settings of plugins, and what it says of what does not count yet.

use crate::fixtures;
use crate::harness::{Answer, Client, Host, Setup, wait_for};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Writes a configuration, sends SIGHUP, and waits for the lines with these words that follow.
fn reread(host: &Host, config: &str, lines: &[&[&str]]) {
    let file = host.directory.path().join("tidegate.toml");
    std::fs::write(file.with_extension("new"), config).unwrap();
    std::fs::rename(file.with_extension("new"), file).unwrap();
    let before = host.process.stderr().len();
    host.process.signal("HUP");
    for words in lines {
        wait_for(&format!("a new line with {words:?}"), || {
            let log = host.process.stderr();
            log[before..].lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(())
        });
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
            &["INFO", "key=plugins.x.settings", "the configuration has changed here: changed"],
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
    assert_eq!(log.matches(restart).count(), 2, "{log}");
    // A flag has the last word over the file, before and after; what guests are set up with may be secret.
    for absent in ["key=http.address", "secret", "another"] {
        assert!(!log.contains(absent), "{absent} is in {log}");
    }
    // Back to what is in force: nothing waits.
    reread(&host, config, &[&["INFO", "key=plugins.x.settings", "changed"]]);
    reread(&host, config, &[&["INFO", "the configuration is the one in force"]]);
    reread(&host, "[", &[&["ERROR", "line 1, column"]]);
    assert_eq!(host.process.stderr().matches(restart).count(), 2);
    assert_eq!(host.stop(), 0);
}

/// Of the plugin that gave an answer.
fn generation(answer: &Answer) -> u64 {
    answer.header("tidegate-generation").parse().unwrap()
}

#[test]
fn limits_and_settings_of_a_plugin_come_into_force_while_it_serves() {
    let config = |greeting: &str, limits: &str| {
        format!("[plugins.greet.settings]\ngreeting = '{greeting}'\n[plugins.greet.limits]\n{limits}\n")
    };
    let greet = fixtures::telling_setting("greeting");
    let host = Setup::new().plugin("greet", &greet).committed("downcase").config(&config("good day", "")).start();
    assert_eq!(host.get("/greet/?param=x").text(), "good day");
    reread(&host, &config("hello", ""), &[&["INFO", "serves under other limits, settings or buckets", "generation=2"]]);
    let answer = host.get("/greet/?param=x");
    assert_eq!((answer.text(), generation(&answer)), ("hello", 2));
    assert_eq!(generation(&host.get("/downcase/?param=X")), 1, "nothing was said of it");

    reread(&host, &config("hello", "output_bytes_max = 2"), &[&["INFO", "key=plugins.greet.limits", "changed"]]);
    let answer = host.get("/greet/?param=x");
    assert!(answer.status == 502 && answer.text().contains("output_bytes_max 2"), "{}", answer.text());
    assert_eq!(host.status("greet")["limits"]["output_bytes_max"], 2);

    // Of all plugins, those that say something else of themselves excepted.
    let all = "[limits]\noutput_bytes_max = 1\n".to_owned() + &config("hello", "output_bytes_max = 100");
    reread(&host, &all, &[&["key=plugins.downcase.limits"], &["key=plugins.greet.limits"]]);
    assert_eq!((host.get("/downcase/?param=X").status, host.get("/greet/?param=x").text()), (502, "hello"));

    // What all instances have been made to fit, and what code runs in, is another with the next start.
    let limits = "memory_bytes_max = 4_294_967_296\nstack_bytes_max = 65_536\ncalls_max = 2";
    let restart = "takes effect at the next start";
    reread(
        &host,
        &config("hello", limits),
        &[
            &[restart, "key=plugins.greet.limits.memory_bytes_max"],
            &[restart, "key=plugins.greet.limits.stack_bytes_max"],
        ],
    );
    let in_force = &host.status("greet")["limits"];
    assert_eq!((&in_force["calls_max"], &in_force["memory_bytes_max"]), (&2.into(), &(64 << 20).into()));

    // What is loaded later has what is in force by then.
    std::fs::copy(host.plugin_path("downcase"), host.plugin_path("greet")).unwrap();
    wait_for("the file", || (host.get("/greet/?param=X").text() == "lower case of X is x").then_some(()));
    assert_eq!(host.status("greet")["limits"]["calls_max"], 2);
    assert_eq!(host.run("plugin", &["rollback", "greet"]).0, 0);
    assert_eq!(host.get("/greet/?param=x").text(), "hello");
    assert_eq!(host.status("greet")["limits"]["calls_max"], 2);
    assert_eq!(host.stop(), 0);
}

/// Calls end under what they began with, and none is refused or lost for a change.
#[test]
fn no_request_is_lost_while_settings_change() {
    const CHANGES: usize = 20;
    let config = |number: usize| format!("[plugins.greet.settings]\ngreeting = 'number {number}'\n");
    let greet = fixtures::telling_setting("greeting");
    let host = Setup::new().plugin("greet", &greet).config(&config(0)).start();
    let (ended, served) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let client = Client::new(&host);
                let mut last = 0;
                while !ended.load(Ordering::Relaxed) {
                    let answer = client.request("GET", "/greet/?param=x", None).unwrap();
                    let number: u64 = answer.text().strip_prefix("number ").unwrap().parse().unwrap();
                    assert_eq!((answer.status, number + 1), (200, generation(&answer)), "each has its own settings");
                    assert!(number >= last, "{number} after {last}");
                    last = number;
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for number in 1..=CHANGES {
            let before = served.load(Ordering::Relaxed);
            reread(&host, &config(number), &[&["serves under other", &format!("generation={} ", number + 1)]]);
            wait_for("a request", || (served.load(Ordering::Relaxed) > before).then_some(()));
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert_eq!(host.get("/greet/?param=x").text(), format!("number {CHANGES}"));
    assert_eq!(host.stop(), 0);
}

/// A newcomer is judged by its calls, whatever changes meanwhile; and what it is rolled back to has what is in force.
#[test]
fn a_newcomer_on_probation_stays_on_it_under_other_settings() {
    let config = |greeting: &str| format!("rollback.failures = 2\n[plugins.greet.settings]\ngreeting = '{greeting}'\n");
    let greet = fixtures::telling_setting("greeting");
    let host = Setup::new().plugin("greet", &greet).config(&config("good day")).start();
    assert_eq!(host.admin_request("PUT", "/plugins/greet", Some(&fixtures::trapping())).status, 200);
    reread(&host, &config("hello"), &[&["serves under other limits, settings or buckets", "generation=3 "]]);
    assert_eq!([(); 2].map(|()| host.get("/greet/?param=x").status), [502, 502]);
    let answer = host.get("/greet/?param=x");
    assert_eq!((answer.text(), generation(&answer)), ("hello", 4));
    assert_eq!(host.stop(), 0);
}
