//! Whatever runs is watched: what dies is told at once, and ends the host in order, so that it is started again.

use crate::fixtures;
use crate::harness::{Client, Host, Setup, wait_for};
use crate::keygen::Pair;
use crate::raw_http::Raw;
use std::fs;

/// The exit code that has it started again.
const PART_DIED: i32 = 4;

/// A host of which each part runs, in whose directory `fail` a test names what is to die, with something in flight that
/// leaves time to look at it.
fn host(late_ms: u32) -> (Host, Raw, zmq::Socket) {
    let mut setup = Setup::new();
    let (server, client) = (Pair::new(setup.path().join("server")), Pair::new(setup.path().join("client")));
    let (keys, fail) = (setup.path().join("authorized"), setup.path().join("fail"));
    fs::create_dir(&keys).unwrap();
    fs::copy(client.file("public.key"), keys.join("client")).unwrap();
    fs::create_dir(&fail).unwrap();
    setup = setup.plugin("wait", &fixtures::waiting()).plugin("trap", &fixtures::trapping());
    let host = setup
        .plugin("late", &fixtures::replying_late_unless_asked(late_ms))
        .with(&[
            &format!("--curve-secret-key={}", server.file("secret.key")),
            &format!("--curve-authorized-keys={}", keys.display()),
        ])
        .env("TIDEGATE_FAIL_POINTS", fail.to_str().unwrap())
        // Each of these tests would compile the same again.
        .env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"))
        .config("[plugins.late]\nwarm = 1\n[limits]\ncall_deadline_ms = 60000\n[shutdown]\ngrace_ms = 20000")
        .start();
    let mut request = Raw::connect(&host, "http");
    // Who closes with something unread breaks the connection off, and so gives its call up.
    request.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("its answer", || (host.ledger()["hops"]["http"]["out"] == 1).then_some(()));
    request.0.peek(&mut [0]).unwrap();
    request.send("GET /wait/?param=x HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for("the call", || (host.status("wait")["calls_in_flight"] == 1).then_some(()));
    let dealer = zmq::Context::new().socket(zmq::DEALER).unwrap();
    dealer.set_curve_serverkey(server.public.as_bytes()).unwrap();
    dealer.set_curve_publickey(client.public.as_bytes()).unwrap();
    dealer.set_curve_secretkey(client.secret.as_bytes()).unwrap();
    dealer.set_linger(0).unwrap();
    dealer.connect(host.surface("frontend")).unwrap();
    dealer.send("x", 0).unwrap();
    wait_for("the request", || (host.ledger()["hops"]["schedule"]["in"] == 1).then_some(()));
    (host, request, dealer)
}

/// Has a part die, looks at what is told of it, and gives what is then let go of.
fn dies(part: &str, how: &str, cause: &str, stir: impl Fn(&Host)) {
    // Nobody waits for the requests of a listener that has died; the broker waits for a reply that falls due.
    let (mut host, request, dealer) = host(if part == "http" { 2_000 } else { 500 });
    let fail = host.directory.path().join("fail");
    // A file that is seen between its creation and its content would say nothing of how.
    fs::write(fail.join("new"), how).unwrap();
    fs::rename(fail.join("new"), fail.join(part)).unwrap();
    stir(&host);
    host.process.wait_for_line(&["a part of the host has died", part, cause]);
    if part != "admin" {
        let told = Client::at(host.surface("admin")).request("GET", "/readyz", None).expect("it still tells");
        let line = told.text().lines().find(|line| line.starts_with(&format!("{part} has died: "))).map(str::to_owned);
        assert!(told.status == 503 && line.is_some_and(|line| line.contains(cause)), "{}", told.text());
        let metrics = host.admin("/metrics");
        let sample = format!("tidegate_part_deaths_total{{part=\"{part}\"}} 1");
        assert!(metrics.text().lines().any(|line| line == sample), "{sample}: {}", metrics.text());
    }
    drop((request, dealer));
    assert_eq!(host.wait(), PART_DIED, "{}", host.process.stderr());
}

/// A call that traps, which becomes a dead letter.
fn trap(host: &Host) {
    let _ = Client::new(host).request("GET", "/trap/?param=x", None);
}

#[test]
fn a_publisher_that_dies_is_told() {
    dies("publisher", "panic", "it panicked", trap);
    dies("publisher", "error", "terminated", trap);
}

#[test]
fn a_broker_that_dies_is_told() {
    dies("broker", "panic", "it panicked", trap);
    dies("broker", "error", "terminated", trap);
}

#[test]
fn the_end_of_who_looks_keys_up_is_told() {
    dies("zap", "panic", "it panicked", trap);
    dies("watch-keys", "panic", "it panicked", trap);
    dies("watch-keys", "error", "a test has asked for it", trap);
}

#[test]
fn the_end_of_who_writes_dead_letters_is_told() {
    dies("dead-letters", "panic", "it panicked", trap);
    dies("dead-letters", "error", "a test has asked for it", trap);
}

#[test]
fn the_end_of_who_looks_at_files_and_registries_is_told() {
    dies("watch-plugins", "panic", "it panicked", trap);
    dies("watch-plugins", "error", "a test has asked for it", trap);
}

#[test]
fn the_end_of_who_looks_at_certificates_is_told() {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let setup = Setup::new().config("[http]\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'");
    let fail = setup.path().join("fail");
    fs::create_dir(&fail).unwrap();
    fs::write(setup.path().join("cert.pem"), pair.cert.pem()).unwrap();
    fs::write(setup.path().join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    let mut host = setup.env("TIDEGATE_FAIL_POINTS", fail.to_str().unwrap()).start();
    fs::write(fail.join("new"), "error").unwrap();
    fs::rename(fail.join("new"), fail.join("watch-certificates")).unwrap();
    host.process.wait_for_line(&["a part of the host has died", "watch-certificates", "a test has asked for it"]);
    assert_eq!(host.wait(), PART_DIED, "{}", host.process.stderr());
}

#[test]
fn the_end_of_who_sends_spans_is_told() {
    let setup = Setup::new().committed("downcase").with(&["--otel-endpoint=http://127.0.0.1:1"]);
    let fail = setup.path().join("fail");
    fs::create_dir(&fail).unwrap();
    fs::write(fail.join("traces"), "error").unwrap();
    let mut host = setup.env("TIDEGATE_FAIL_POINTS", fail.to_str().unwrap()).start();
    assert_eq!(host.get("/downcase/?param=A").status, 200);
    host.process.wait_for_line(&["a part of the host has died", "traces", "a test has asked for it"]);
    assert_eq!(host.wait(), PART_DIED, "{}", host.process.stderr());
}

#[test]
fn the_end_of_who_keeps_instances_warm_is_told() {
    dies("warm-late", "panic", "it panicked", |host| {
        let admin = Client::at(host.surface("admin"));
        // The next generation has a keeper of its own.
        let loaded = admin.request("PUT", "/plugins/late", Some(&fixtures::replying_late_unless_asked(501)));
        assert_eq!(loaded.unwrap().status, 200);
    });
}

#[test]
fn the_end_of_who_makes_guests_yield_is_told() {
    dies("epoch", "panic", "it panicked", trap);
    dies("epoch", "error", "a test has asked for it", trap);
}

#[test]
fn a_listener_that_dies_is_told() {
    dies("http", "panic", "it panicked", trap);
    dies("http", "error", "it accepts no connections any more", trap);
    dies("admin", "error", "it accepts no connections any more", |host| {
        let _ = Client::at(host.surface("admin")).request("GET", "/livez", None);
    });
}
