//! A captured hour of mixed traffic, and three newcomers: one that is equal, one that differs in one field of 0.3 % of the messages,
//! and one that traps on a single input. `TIDEGATE_MIXED_MESSAGES` says how many there are, a million for the whole of it.

use super::*;
use crate::flows::unconnected;
use crate::harness::tidegate;
use serde_json::{Value, json};
use std::process::Output;
use std::time::Instant;

/// One in so many messages has a price that a newcomer changes: 0.3 %.
const PRICE_EVERY: u64 = 333;

/// Changes the first digit of a price if that is 7.
fn repricing() -> Vec<u8> {
    let price = u64::from_le_bytes(*b"{\"price\"");
    fixtures::passing_on(&format!(
        "(if (i32.gt_u (local.get $body_len) (i32.const 12)) (then
            (if (i64.eq (i64.load (local.get $body)) (i64.const {price})) (then
                (if (i32.eq (i32.load8_u offset=9 (local.get $body)) (i32.const {})) (then
                    (i32.store8 offset=9 (local.get $body) (i32.const {}))))))))",
        b'7', b'8'
    ))
}

/// Traps on a message that begins with an exclamation mark.
fn trapping() -> Vec<u8> {
    fixtures::passing_on(&format!(
        "(if (local.get $body_len) (then
            (if (i32.eq (i32.load8_u (local.get $body)) (i32.const {})) (then (unreachable)))))",
        b'!'
    ))
}

/// A message of the hour: whether it comes by HTTP, and its frames.
fn message(number: u64, count: u64) -> (bool, Vec<Vec<u8>>) {
    let price =
        |digit: u64| format!("{{\"price\":{digit}042,\"id\":{number},\"tags\":[\"a\",{{\"b\":null}}]}}").into_bytes();
    let topic = |name: &str| format!("{name}.{}", number % 7).into_bytes();
    if number == count / 2 {
        return (false, vec![topic("text"), b"! an input in a million".to_vec()]);
    }
    if number.is_multiple_of(PRICE_EVERY) {
        return (number.is_multiple_of(2), vec![topic("quote"), price(7)]);
    }
    match number % 10 {
        0 => (true, vec![Vec::new(), price(1 + number % 6)]),
        1 => (true, vec![Vec::new(), format!("a line of text, {number}").into_bytes()]),
        2 | 3 => (false, vec![topic("quote"), price(1 + number % 6)]),
        4 => (
            false,
            vec![topic("sensor"), format!("[{{\"at\":{number},\"value\":{}.5}},true]", number % 90).into_bytes()],
        ),
        5 => (false, vec![topic("text"), format!("line {number}").into_bytes()]),
        6 => (false, vec![topic("binary"), (0..64).map(|at| (number.wrapping_mul(31) + at) as u8 | 0x80).collect()]),
        7 => (false, vec![topic("deep"), format!("{{\"a\":{{\"b\":[{number},[{{}}]]}}}}").into_bytes()]),
        8 => (false, vec![topic("many"), b"{\"head\":true}".to_vec(), vec![0, 255], price(2)]),
        _ => (false, vec![format!("alone {number}").into_bytes()]),
    }
}

/// Sends the hour through a host.
fn send_hour(host: &Host, count: u64) {
    let push = unconnected(zmq::PUSH);
    push.connect(host.surface("in")).unwrap();
    let client = crate::client::Client::new(host);
    for number in 0..count {
        let (is_http, frames) = message(number, count);
        if is_http {
            let answer = client.request("POST", "/mix/", Some(frames.last().unwrap())).expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.text());
        } else {
            push.send_multipart(frames, 0).unwrap();
        }
    }
    // Until all is taken from it, the socket is kept.
    wait_up_to(LONG_PATIENCE, "the flow to have taken all", || {
        let calls = host.ledger()["plugins"]["mix"]["in"].as_u64().unwrap();
        calls.is_multiple_of(count).then_some(())
    });
}

/// Sends the hour through a host while all of it is captured, and puts the file where the gate looks for it.
fn capture_hour(host: &Host, count: u64) {
    let started: Value = serde_json::from_str(&host.output("capture", &["start", "--json"])).unwrap();
    send_hour(host, count);
    wait_up_to(LONG_PATIENCE, "all of it to be captured", || {
        let captures = host.admin("/captures").json();
        (captures[0]["records"].as_u64() == Some(count)).then_some(())
    });
    host.output("capture", &["stop", started["id"].as_str().unwrap()]);
    let directory = host.directory.path();
    std::fs::rename(directory.join(started["file"].as_str().unwrap()), directory.join(FILE)).unwrap();
}

/// What a command of plugins comes to, which may take as long as it likes.
fn plugin(host: &Host, arguments: &[&str]) -> Output {
    let admin = host.surface("admin").trim_start_matches("http://");
    let mut command = tidegate();
    command.current_dir(host.directory.path()).arg("plugin").args(arguments).env("TIDEGATE_ADMIN", admin);
    command.output().unwrap()
}

/// What `plugin diff` says of a newcomer: the counts that are not 0, and the groups.
fn diff(host: &Host, newcomer: &str) -> (Value, Vec<Value>) {
    let output = plugin(host, &["diff", "mix.wasm", newcomer, "--on", FILE, "--plugin=mix", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts = report["counts"].as_object().unwrap().clone().into_iter().filter(|(_, count)| *count != 0);
    let group = |group: &Value| json!([group["group"], group["inputs"]]);
    let groups = report["groups"].as_array().unwrap().iter().map(group).collect();
    (counts.collect::<serde_json::Map<_, _>>().into(), groups)
}

/// What a shadow says of a newcomer while the hour is sent again: how many calls were not made, how many differ, and the groups.
fn shadow(host: &Host, newcomer: &str, count: u64) -> (u64, u64, Vec<Value>) {
    let output = plugin(host, &["shadow", "mix", newcomer, "--min-calls=1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    send_hour(host, count);
    let found = wait_up_to(LONG_PATIENCE, "all of it to be compared, or given up", || {
        let found = host.admin("/plugins/mix/shadow").json();
        let counts = [&found["compared"], &found["counts"]["undecided"], &found["dropped"]];
        let made: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
        (made == count).then_some(found)
    });
    let output = plugin(host, &["shadow", "stop", "mix"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    println!("the shadow of {newcomer}: {} compared, {} not made", found["compared"], found["dropped"]);
    let groups = found["groups"].as_array().unwrap().iter().map(|group| json!([group["group"], group["inputs"]]));
    (found["dropped"].as_u64().unwrap(), found["differing"].as_u64().unwrap(), groups.collect())
}

/// What the gate says of a newcomer: the exit code of its load, and what is said with it.
fn load(host: &Host, newcomer: &str) -> (Option<i32>, String) {
    let began = Instant::now();
    let output = plugin(host, &["load", "mix", newcomer]);
    println!("the gate has judged {newcomer} in {:?}", began.elapsed());
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn three_newcomers_are_told_apart_on_an_hour_of_mixed_traffic() {
    let count: u64 =
        std::env::var("TIDEGATE_MIXED_MESSAGES").map_or(3_000, |text| text.parse().expect("a number of messages"));
    let differing = count.div_ceil(PRICE_EVERY);
    let flow = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                [flows.mixed]\nfrom = ['in']\nthrough = ['mix']\nto = ['publish']\n";
    let base = fixtures::passing_on("");
    let host = Setup::new().plugin("mix", &base).config(flow).config(&gate("mix", "time_max_ms = '10m'")).start();
    for (name, component) in [("equal", renamed(&base, b'e')), ("field", repricing()), ("trap", trapping())] {
        std::fs::write(host.plugin_path(name), component).unwrap();
    }
    capture_hour(&host, count);

    // A machine without time for all of it finds no more than there is.
    let (_, differing_calls, groups) = shadow(&host, "equal.wasm", count);
    assert_eq!((differing_calls, groups), (0, vec![]));
    let (not_made, trapped, _) = shadow(&host, "trap.wasm", count);
    assert!(trapped == 1 || (trapped == 0 && not_made > 0), "{trapped} of {count}, {not_made} not made");
    let (not_made, changed, groups) = shadow(&host, "field.wasm", count);
    assert!(changed == differing || (changed < differing && not_made > 0), "{changed}, {not_made} not made");
    assert!(changed == 0 || groups == [json!(["body $.price changed", changed])], "{groups:?}");

    assert_eq!(diff(&host, "equal.wasm"), (json!({"same": count}), vec![]));
    let (code, told) = load(&host, "equal.wasm");
    assert_eq!(code, Some(0), "{told}");
    wait_for_log(&host, &format!("0 of {count} inputs of {FILE} differ from what served"));

    let expected = (json!({"same": count - 1, "new_failure": 1}), vec![json!(["new failure: trapped", 1])]);
    assert_eq!(diff(&host, "trap.wasm"), expected);
    let (code, told) = load(&host, "trap.wasm");
    assert!(code == Some(1) && told.contains("(1 new failure); the first is input "), "{told}");
    assert!(told.contains("new failure: trapped: `! an input in a million` became `"), "{told}");

    let groups = vec![json!(["body $.price changed", differing])];
    assert_eq!(diff(&host, "field.wasm"), (json!({"same": count - differing, "different": differing}), groups));
    let (code, told) = load(&host, "field.wasm");
    assert!(code == Some(1) && told.contains("body $.price changed: `7042` became `8042`"), "{told}");
    assert_eq!(host.status("mix")["generation"], 2);
    let wider = format!("[plugins.mix.gate]\non = '{FILE}'\nmax_diff = '0.5%'\ntime_max_ms = '10m'\n");
    assert_eq!(host.admin_request("PUT", "/flows", Some((flow.to_owned() + &wider).as_bytes())).status, 200);
    let (code, told) = load(&host, "field.wasm");
    assert_eq!(code, Some(0), "{told}");
    wait_for_log(&host, &format!("{differing} of {count} inputs of {FILE} differ from what served"));
    assert_eq!(host.stop(), 0);
}
