//! An operator without the file lists, shows and replays dead letters through the admin surface.

use super::{dead_letters, dealer, decoded, json, lines, wait_for_letters};
use crate::fixtures;
use crate::harness::{Host, LONG_PATIENCE, PATIENCE, Setup, bytes};
use serde_json::Value;

/// A host with so many letters of its plugin `p`, which traps.
fn host_with_letters(count: usize) -> Host {
    let host = Setup::new().plugin("p", &fixtures::trapping()).config("[rollback]\nfailures = 0").start();
    for number in 1..=count {
        assert_eq!(host.get(&format!("/p/?param=Number{number}")).status, 502);
    }
    wait_for_letters(&host, count);
    host
}

fn mend(host: &Host, component: &[u8]) {
    std::fs::write(host.plugin_path("p"), component).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"p\"", "generation=2"]);
}

fn page(host: &Host, query: &str) -> (Vec<String>, Value) {
    let answer = host.admin(&format!("/dead-letters?{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let page = answer.json();
    let ids = page["letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap().to_owned());
    (ids.collect(), page["next"].clone())
}

#[test]
fn the_list_comes_in_pages_that_are_filtered() {
    let host = host_with_letters(5);
    let (all, next) = page(&host, "");
    assert_eq!((all.len(), next), (5, Value::Null));
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let (ids, next) = page(&host, &format!("limit=2&route=p{cursor}"));
        assert!(ids.len() <= 2);
        paged.extend(ids);
        let Some(next) = next.as_str() else { break };
        cursor = format!("&cursor={}", next.replace('+', "%2B"));
    }
    assert_eq!(paged, all);
    let (newest, next) = page(&host, "limit=2&order=newest");
    assert_eq!(newest, [all[4].clone(), all[3].clone()]);
    let cursor = next.as_str().unwrap().replace('+', "%2B");
    let (older, next) = page(&host, &format!("limit=3&order=newest&cursor={cursor}"));
    assert_eq!((older, next), (all[..3].iter().rev().cloned().collect(), Value::Null));
    assert_eq!(page(&host, "reason=starved").0.len() + page(&host, "since=2999-01-01T00:00:00Z").0.len(), 0);
    assert_eq!(host.stop(), 0);
}

/// Away from the host's directory, with nothing but the address of its admin surface.
#[test]
fn the_commands_need_no_file() {
    let host = host_with_letters(3);
    let elsewhere = tempfile::tempdir().unwrap();
    let admin = host.surface("admin").trim_start_matches("http://");
    let run = |arguments: &[&str]| dead_letters(elsewhere.path(), &[arguments, &["--admin", admin]].concat());
    let (code, process) = run(&["list", "--json", "--route=p", "--since=1h"]);
    let listed = json(&process);
    assert_eq!((code, listed.as_array().unwrap().len()), (0, 3), "{}", process.stderr());
    let first = listed[0]["id"].as_str().unwrap();
    let (code, process) = run(&["show", first, "--raw"]);
    assert_eq!((code, process.stdout().as_str()), (0, "Number1"));

    let (code, process) = run(&["replay", "--all", "--rate=1000"]);
    assert_eq!(code, 1);
    assert!(process.stderr().contains("0 of 3 letters sent, 3 failed"), "{}", process.stderr());
    assert_eq!(lines(host.directory.path()).0.len(), 3, "a replay by the host makes no further letters");
    mend(&host, &bytes("downcase"));
    let (code, process) = run(&["replay", first]);
    assert_eq!(code, 0, "{}", process.stderr());
    assert!(process.stdout().ends_with("\nframe 0: lower case of Number1 is number1\n"), "{}", process.stdout());
    // It is not sent twice by mistake.
    let (code, process) = run(&["replay", first]);
    assert!(code == 1 && process.stderr().contains("a replay has sent this letter"), "{}", process.stderr());
    assert_eq!(run(&["replay", first, "--again"]).0, 0);
    let (code, process) = run(&["replay", "--all", "--rate=1000", "--json"]);
    assert_eq!((code, &json(&process)["sent"]), (0, &2.into()), "{}", process.stderr());
    assert_eq!(json(&run(&["list", "--json"]).1), serde_json::json!([]));
    let (code, process) = run(&["show", "0-0"]);
    assert!(code == 1 && process.stderr().contains("no dead letter has the id 0-0"), "{}", process.stderr());
    let (code, process) = run(&["list", "--file", "x"]);
    assert!(code == 2 && process.stderr().contains("cannot be used with"), "{}", process.stderr());
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_comes_of_a_message_is_published_and_counted_and_of_a_request_answered() {
    let policy = fixtures::reply_policy("", "(unreachable)");
    let host = Setup::new().plugin("p", &fixtures::trapping()).plugin("policy", &policy).start();
    assert_eq!(host.get("/p/?param=HeLLo").status, 502);
    let message = wait_for_letters(&host, 1)[0].clone();
    let client = dealer(&host);
    client.send("x", 0).unwrap();
    let request = wait_for_letters(&host, 2)[1].clone();
    mend(&host, &bytes("downcase"));
    std::fs::write(host.plugin_path("policy"), bytes("echo")).unwrap();
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["loaded", "plugin=\"policy\"", "generation=2"]);

    let subscriber = zmq::Context::new().socket(zmq::SUB).unwrap();
    subscriber.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    subscriber.set_subscribe(b"").unwrap();
    subscriber.connect(host.surface("publish")).unwrap();
    let before = host.ledger();
    let replay = |letter: &Value, query: &str| {
        let path = format!("/dead-letters/{}/replay{query}", letter["id"].as_str().unwrap());
        host.admin_request("POST", &path, None)
    };
    // Until the subscription has arrived: each replay is of the same letter, on purpose.
    let mut replays = 0;
    let published = loop {
        let answer = replay(&message, "?again=true");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["messages"][0]["frames"][0], "lower case of HeLLo is hello");
        replays += 1;
        subscriber.set_rcvtimeo(100).unwrap();
        if let Ok(published) = subscriber.recv_bytes(0) {
            break published;
        }
        assert!(replays < 100, "nothing was published");
    };
    assert_eq!(published, b"lower case of HeLLo is hello");
    let after = host.ledger();
    let came = |ledger: &Value, hop: &str| ledger["hops"][hop]["in"].as_u64().unwrap();
    assert_eq!(came(&after, "transform") - came(&before, "transform"), replays);
    assert_eq!(came(&after, "dead-letter"), came(&before, "dead-letter"), "a mark is no letter");
    let again = replay(&message, "");
    assert!(again.status == 409 && again.text().contains("again=true"), "{}", again.text());

    let answer = replay(&request, "");
    assert_eq!((answer.status, &answer.json()["replies"][0]["frames"]), (200, &serde_json::json!(["x"])));
    assert_eq!(decoded(&request["request"]["frames_base64"][0]), b"x");
    assert_eq!(host.stop(), 0);
}

/// Of several who replay one letter at the same time, one does.
#[test]
fn a_letter_is_sent_once_whoever_asks_at_the_same_time() {
    let host = host_with_letters(1);
    mend(&host, &bytes("downcase"));
    let path = format!("/dead-letters/{}/replay", page(&host, "").0[0]);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asks: Vec<_> = (0..8).map(|_| scope.spawn(|| host.admin_request("POST", &path, None).status)).collect();
        asks.into_iter().map(|ask| ask.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 409, 503].contains(status)), "{statuses:?}");
    let marks: Vec<_> = lines(host.directory.path()).1.iter().map(|mark| mark["replay"].clone()).collect();
    assert_eq!(marks, ["begun", "sent"]);
    assert_eq!(host.stop(), 0);
}
