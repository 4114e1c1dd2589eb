//! A host that has changed and is not well has all of them go back.

use super::*;
use crate::fixtures;
use crate::harness::{LONG_PATIENCE, Setup, wait_up_to};
use serde_json::json;

#[test]
fn a_component_whose_calls_fail_on_one_host_goes_back_on_all() {
    let echoing = fixtures::echoing(1 << 20);
    let hosts = [0, 1].map(|_| Setup::new().plugin("p", &echoing).start());
    let names = hosts.each_ref().map(admin);
    let [a, b] = names.each_ref().map(String::as_str);
    let bad = fixtures::trapping_on(b'!');
    let file = written(hosts[0].directory.path(), "bad.wasm", &bad);
    let enough = AtomicBool::new(false);
    let (code, shown, stderr) = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The first host gets nothing that harms it.
            while !enough.load(Ordering::Relaxed) {
                let answer = hosts[1].post("/p/", b"!");
                assert!([200, 502].contains(&answer.status), "{}", answer.text());
            }
        });
        let ended = fleet(&load(&file, &names, &[]));
        enough.store(true, Ordering::Relaxed);
        ended
    });
    assert_eq!((code, stderr.as_str()), (1, ""), "{shown}");
    let short = &digest(&echoing)[..12];
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[1].starts_with(&format!("{b}: is not well: ")), "{shown}");
    let back = [b, a].map(|host| format!("{host}: serves {short} again"));
    assert_eq!(&lines[2..], [&back[0], &back[1], "stopped: all hosts serve what they did before"], "{shown}");
    assert!(hosts.iter().all(|host| serving(host) == digest(&echoing)));
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}

#[test]
fn a_plugin_that_its_operator_has_paused_is_left_alone() {
    let hosts = [0, 1].map(|_| host_of("downcase").start());
    let names = hosts.each_ref().map(admin);
    assert_eq!(hosts[1].admin_request("POST", "/plugins/p/pause", Some(b"")).status, 200);
    let file = written(hosts[0].directory.path(), "new.wasm", &bytes("upcase"));
    let shown = told(1, &load(&file, &names, &[]));
    assert!(
        shown.contains(&format!("{}: its operator has paused the plugin there: resume it first", names[1])),
        "{shown}"
    );
    assert!(shown.ends_with("stopped: all hosts serve what they did before\n"), "{shown}");
    assert_eq!(hosts[1].status("p")["held"], json!(true));
    assert!(hosts.iter().all(|host| serving(host) == digest(&bytes("downcase"))));
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}

#[test]
fn a_host_that_dies_before_its_turn_has_the_others_go_back() {
    let mut hosts = [0, 1, 2].map(|_| host_of("downcase").start());
    let names = hosts.each_ref().map(admin);
    let file = written(hosts[0].directory.path(), "new.wasm", &bytes("upcase"));
    let mut process = Process::start(tidegate().args(["fleet", "load", "p", &file, "--watch=1s"]).args(&names));
    let (old, new) = (digest(&bytes("downcase")), digest(&bytes("upcase")));
    wait_up_to(LONG_PATIENCE, "the first to change", || (serving(&hosts[0]) == new).then_some(()));
    hosts[2].process.signal("KILL");
    hosts[2].process.wait();
    assert_eq!(process.wait().code(), Some(1), "{}", process.stdout());
    let (shown, short) = (process.stdout(), &old[..12]);
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[2].starts_with(&format!("{}: no host answers", names[2])), "{shown}");
    let back = [1, 0].map(|host| format!("{}: serves {short} again", names[host]));
    assert_eq!(&lines[3..], [&back[0], &back[1], "stopped: all hosts serve what they did before"], "{shown}");
    let [first, second, _] = hosts;
    assert!(serving(&first) == old && serving(&second) == old);
    assert_eq!((first.stop(), second.stop()), (0, 0));
}
