//! Buckets in JetStream: what plugins of the same name keep is shared by hosts, and outlives them.

use super::nats::Nats;
use crate::fixtures::keeping;
use crate::harness::{Client, Host, PATIENCE, Setup, wait_up_to};

fn start(nats: &Nats, bounds: &str) -> Host {
    let bucket = format!(
        "[plugins.x.buckets]\nseen = {{ backend = 'nats'{bounds} }}\n[plugins.x.limits]\ncall_deadline_ms = 9000\n"
    );
    Setup::new().plugin("x", &keeping("seen", 1)).config(&format!("{}{bucket}", nats.config())).start()
}

#[track_caller]
fn ask(host: &Host, body: &str) -> String {
    let answer = host.post("/x/", body.as_bytes());
    match answer.status {
        200 => answer.text().to_owned(),
        status => status.to_string(),
    }
}

#[test]
fn hosts_share_what_is_kept_and_it_outlives_them() {
    let Some(nats) = Nats::start() else { return };
    let hosts = [start(&nats, ""), start(&nats, "")];
    assert_eq!(["dA", "dA"].map(|body| ask(&hosts[0], body)), ["A", "204"]);
    assert_eq!(["dA", "dB"].map(|body| ask(&hosts[1], body)), ["204", "B"]);
    // Counters are exact, whichever host counts.
    let mut counted: Vec<u64> = std::thread::scope(|scope| {
        let count = |host| {
            let client = Client::new(host);
            (0..20)
                .map(|_| client.request("POST", "/x/", Some(b"nK")).unwrap().text().parse().unwrap())
                .collect::<Vec<u64>>()
        };
        let threads = hosts.each_ref().map(|host| scope.spawn(move || count(host)));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    counted.sort_unstable();
    assert_eq!(counted, (1..=40).collect::<Vec<_>>());
    assert_eq!(
        ["sé .*>", "gé .*>", "cK", "gK", "xK"].map(|body| ask(&hosts[0], body)),
        ["ok", "é .*>", "ok", "K", "changed"]
    );
    let [one, other] = hosts;
    assert_eq!((one.stop(), other.stop()), (0, 0));
    let again = start(&nats, "");
    assert_eq!(["dA", "gé .*>", "g-"].map(|body| ask(&again, body)), ["204", "é .*>", "-"]);
    assert_eq!(again.stop(), 0);
}

#[test]
fn the_bounds_are_those_of_the_stream() {
    let Some(nats) = Nats::start() else { return };
    let host = start(&nats, ", keys_max = 1");
    let full = "bucket seen is full: it has keys_max 1; delete keys, let them expire by ttl_ms, or raise the bound";
    assert_eq!(["sA", "sB", "sA"].map(|body| ask(&host, body)), ["ok", full, "ok"]);
    assert_eq!(host.status("x")["buckets"]["seen"]["refused"], 1);
    assert_eq!(host.stop(), 0);
    let host = start(&nats, ", keys_max = 2");
    assert_eq!(["gA", "sB"].map(|body| ask(&host, body)), ["A", "ok"]);
    assert_eq!(host.stop(), 0);
    let host = start(&nats, ", keys_max = 2, ttl_ms = 400");
    wait_up_to(PATIENCE, "the end of their time", || {
        (["gA", "gB"].map(|body| ask(&host, body)) == ["-", "-"]).then_some(())
    });
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_bucket_whose_server_is_away_says_so_to_the_call() {
    let Some(mut nats) = Nats::not_started() else { return };
    let host = start(&nats, "");
    let answer = ask(&host, "gA");
    assert!(answer.starts_with("bucket seen cannot be reached: NATS at nats://127.0.0.1:"), "{answer}");
    nats.run();
    wait_up_to(PATIENCE, "the bucket", || (ask(&host, "sA") == "ok").then_some(()));
    assert_eq!(ask(&host, "gA"), "A");
    assert_eq!(host.stop(), 0);
}
