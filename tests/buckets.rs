//! Buckets: what a plugin that is granted them keeps outlives its calls and its swaps, within bounds, and nothing that serves nobody
//! changes it.

mod again;

use crate::fixtures::{self, keeping};
use crate::harness::{Client, Host, Setup, tidegate, wait_for};
use serde_json::{Value, json};

/// Grants the plugin `x` the bucket `seen`, with these bounds.
fn granted(bounds: &str) -> String {
    format!("[plugins.x.buckets]\nseen = {{ {bounds} }}\n")
}

fn host(bounds: &str) -> Host {
    Setup::new().plugin("x", &keeping("seen", 1)).config(&granted(bounds)).start()
}

/// What the plugin answers to a body; `204` for nothing.
#[track_caller]
fn ask(host: &Host, body: &str) -> String {
    let answer = host.post("/x/", body.as_bytes());
    match answer.status {
        200 => answer.text().to_owned(),
        status => status.to_string(),
    }
}

fn bucket(host: &Host) -> Value {
    host.status("x")["buckets"]["seen"].clone()
}

/// The same code in other bytes.
fn rebuilt(component: &[u8]) -> Vec<u8> {
    [component, &fixtures::custom_section("other", b"x")].concat()
}

/// Writes another configuration and has the host read it.
fn reread(host: &Host, config: &str) {
    let file = host.directory.path().join("tidegate.toml");
    std::fs::write(file.with_extension("new"), config).unwrap();
    std::fs::rename(file.with_extension("new"), file).unwrap();
    host.process.signal("HUP");
}

#[test]
fn what_came_before_is_known_to_each_new_instance_and_to_the_next_generation() {
    let host = host("");
    assert_eq!(["dA", "dA", "dB", "dA", "dB"].map(|body| ask(&host, body)), ["A", "204", "B", "204", "204"]);
    assert!(host.status("x")["instances_made"].as_u64() > Some(5), "each call has an instance of its own");
    let put = host.admin_request("PUT", "/plugins/x", Some(&rebuilt(&keeping("seen", 1))));
    assert_eq!(put.json()["generation"], 2);
    assert_eq!(["dA", "dC"].map(|body| ask(&host, body)), ["204", "C"]);
    let metrics = host.admin("/metrics").text().to_owned();
    for line in [
        "tidegate_plugin_bucket_keys{plugin=\"x\",bucket=\"seen\"} 3",
        "tidegate_plugin_bucket_size_bytes{plugin=\"x\",bucket=\"seen\"} 774",
        "tidegate_plugin_bucket_refused_total{plugin=\"x\",bucket=\"seen\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn counters_are_exact_whoever_counts_at_the_same_time() {
    let host = host("");
    let mut counted: Vec<u64> = std::thread::scope(|scope| {
        let count = || {
            let client = Client::new(&host);
            let ask = |_| client.request("POST", "/x/", Some(b"nK")).unwrap().text().parse().unwrap();
            (0..50).map(ask).collect::<Vec<u64>>()
        };
        let threads = [(); 4].map(|()| scope.spawn(count));
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    counted.sort_unstable();
    assert_eq!(counted, (1..=200).collect::<Vec<_>>());
    assert_eq!(["cK", "gK", "xK", "gK"].map(|body| ask(&host, body)), ["ok", "K", "changed", "-"]);
    assert_eq!(
        ask(&host, "nK"),
        "bucket seen holds no whole number at `K`, so that it cannot be incremented: set it to one, such as 0"
    );
}

#[test]
fn a_full_bucket_refuses_what_is_new_until_it_may_have_more() {
    let host = host("keys_max = 1");
    let full = "bucket seen is full: it has keys_max 1; delete keys, let them expire by ttl_ms, or raise the bound";
    assert_eq!(["sA", "sB", "sA"].map(|body| ask(&host, body)), ["ok", full, "ok"]);
    assert_eq!((&bucket(&host)["keys"], &bucket(&host)["refused"]), (&json!(1), &json!(1)));
    reread(&host, &granted("keys_max = 2"));
    wait_for("another bound", || (bucket(&host)["keys_max"] == 2).then_some(()));
    assert_eq!(["gA", "sB", "gB"].map(|body| ask(&host, body)), ["A", "ok", "B"]);
    // One that is not granted any more is gone with all that it had.
    reread(&host, "[plugins.x.buckets]\nother = {}");
    wait_for("another bucket", || host.status("x")["buckets"]["other"].is_object().then_some(()));
    assert_eq!(ask(&host, "gA"), "no-such-store");
    reread(&host, &granted(""));
    wait_for("the bucket", || bucket(&host).is_object().then_some(()));
    assert_eq!(ask(&host, "gA"), "-");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_key_is_gone_when_its_time_is_over() {
    let host = host("ttl_ms = 300");
    assert_eq!(["dA", "dA"].map(|body| ask(&host, body)), ["A", "204"]);
    wait_for("the end of a key's time", || (ask(&host, "gA") == "-").then_some(()));
    assert_eq!((&bucket(&host)["keys"], &bucket(&host)["expired"]), (&json!(0), &json!(1)));
    assert_eq!(ask(&host, "dA"), "A");
}

#[test]
fn a_plugin_that_is_granted_none_is_refused_and_one_that_opens_another_is_told() {
    let host = Setup::new().committed("downcase").config("[plugins.x.buckets]\nother = {}").start();
    let refused = host.admin_request("PUT", "/plugins/y?persist=false", Some(&keeping("seen", 1)));
    let text = refused.text();
    assert_eq!(refused.status, 422, "{text}");
    for words in ["imports wasi:keyvalue/", "the plugin y is granted no bucket", "[plugins.y.buckets]"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&keeping("seen", 1))).status, 200);
    assert_eq!(ask(&host, "gA"), "no-such-store");
    assert_eq!(host.status("x")["denied"]["buckets"], 1);
}

#[test]
fn what_a_call_wrote_before_it_failed_is_there() {
    let host = host("");
    assert_eq!(["gA", "tA", "gA"].map(|body| ask(&host, body)), ["-", "502", "A"]);
}

#[test]
fn whoever_tries_a_plugin_reads_what_is_there_and_changes_nothing() {
    let host = host("");
    assert_eq!(ask(&host, "nK"), "1");
    for _ in 0..2 {
        let call = json!({"message": {"body": "nK"}}).to_string();
        let told = host.admin_request("POST", "/plugins/x/call", Some(call.as_bytes())).json();
        assert_eq!(told["messages"][0]["frames"], json!(["2"]), "{told}");
    }
    assert_eq!(ask(&host, "nK"), "2");
    // Without a host there is nothing to read, whatever the bucket is called.
    let file = host.directory.path().join("x.wasm");
    std::fs::write(&file, keeping("any", 1)).unwrap();
    for _ in 0..2 {
        let output = tidegate().args(["plugin", "call"]).arg(&file).args(["--body", "nK"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1", "{}", String::from_utf8_lossy(&output.stderr));
    }
}
