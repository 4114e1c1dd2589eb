//! Hosts side by side: those that differ, and those that give no answer, or one that no host gives.

use super::*;
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const RELAY: &str =
    "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[flows.relay]\nfrom = ['in']\nto = ['publish']";

#[test]
fn hosts_are_shown_side_by_side_with_what_differs_marked() {
    let hosts = [host_of("downcase"), host_of("downcase"), host_of("upcase")].map(|setup| setup.config(RELAY).start());
    let names = hosts.each_ref().map(admin);
    let [a, b, c] = names.each_ref().map(String::as_str);
    assert_eq!(hosts[0].get("/p/?param=A").status, 200);
    wait_for("nobody to have taken it", || {
        (hosts[0].ledger()["hops"]["publish"]["dropped"]["no-subscriber"] == 1).then_some(())
    });
    let shown = told(1, &["status", a, b, c]);
    let line = |host: &str, word: &str| {
        let found = shown.lines().find(|line| line.contains(host) && line.contains(word));
        found.unwrap_or_else(|| panic!("no line with {host} and {word}: {shown}")).to_owned()
    };
    assert!(line(a, " yes ").contains("no-subscriber=1"), "{shown}");
    assert!(line(a, "serving").ends_with(&digest(&bytes("downcase"))[..12]), "{shown}");
    assert!(line(c, "serving").ends_with(&format!("{} ≠", &digest(&bytes("upcase"))[..12])), "{shown}");
    assert!(line(b, "relay").ends_with("running"), "{shown}");
    let end = format!("\n{c} ≠ plugin p\n3 hosts: 1 otherwise than most\n");
    assert!(shown.ends_with(&end), "{shown}");

    // A flow that is paused there alone, and a component that is the same again.
    assert_eq!(hosts[2].admin_request("PUT", "/plugins/p", Some(&bytes("downcase"))).status, 200);
    assert_eq!(hosts[1].admin_request("POST", "/flows/relay/pause", Some(b"")).status, 200);
    let json: Value = serde_json::from_str(&told(1, &["status", a, b, c, "--json"])).unwrap();
    assert_eq!(json["hosts"][1]["flows"]["relay"], json!({"state": "paused", "differs": true}), "{json}");
    assert_eq!((&json["hosts"][1]["differs"], &json["hosts"][2]["differs"]), (&json!(["flow relay"]), &json!([])));
    assert_eq!(
        (&json["hosts"][2]["plugins"]["p"]["generation"], &json["hosts"][0]["ready"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(hosts[1].admin_request("POST", "/flows/relay/resume", Some(b"")).status, 200);
    assert!(told(0, &["status", a, b, c]).ends_with("3 hosts: all the same and ready\n"));
    // A name stands for all its addresses; this one has one that answers.
    let by_name = told(0, &["status", "--dns", a]);
    assert!(by_name.contains(a) && by_name.ends_with("1 host: all the same and ready\n"), "{by_name}");
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}

/// Serves each connection by this, one after the other, for as long as the test lasts.
fn stranger(mut serve: impl FnMut(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(&mut serve));
    address
}

#[test]
fn who_is_down_hangs_or_sends_garbage_is_shown_and_holds_up_nobody() {
    let host = host_of("downcase").start();
    let well = admin(&host);
    // A port that was free a moment ago.
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut kept = Vec::new();
    let hangs = stranger(move |stream| kept.push(stream));
    let answer = |text: &'static str| {
        stranger(move |mut stream| {
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(text.as_bytes());
        })
    };
    let garbage = answer("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n\x1b[2J\x1b]0;own\x07");
    let no_http = answer("\x1b[2J\x00\x01\x02");
    let said = r#"{"status": 401, "detail": "\u001b[2Jno\nforged: line"}"#;
    let refuses = stranger(move |mut stream| {
        let _ = stream.read(&mut [0; 4_096]);
        let _ = write!(stream, "HTTP/1.1 401 Unauthorized\r\ncontent-length: {}\r\n\r\n{said}", said.len());
    });
    let endless = stranger(|mut stream| {
        std::thread::spawn(move || {
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[");
            while stream.write_all(&[b' '; 65_536]).is_ok() {}
        });
    });
    let trickles = stranger(|mut stream| {
        std::thread::spawn(move || {
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[");
            while stream.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
    });
    let hosts = [&well, &down, &hangs, &garbage, &no_http, &refuses, &endless, &trickles].map(String::as_str);
    let began = Instant::now();
    let arguments: Vec<_> = ["status", "--timeout=2s"].into_iter().chain(hosts).collect();
    let shown = told(5, &arguments);
    // Eight that are asked one after the other would take longer.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!shown.contains('\x1b'), "{shown}");
    for (host, words) in [
        (&down, "no host answers"),
        (&hangs, "no host answers"),
        (&garbage, "is no host's admin surface"),
        (&no_http, "no host answers"),
        (&refuses, "\\u{1b}[2Jno\\nforged: line"),
        (&endless, "is no host's admin surface"),
        (&trickles, "is no host's admin surface"),
    ] {
        let line = shown.lines().find(|line| line.starts_with(&format!("{host}: ")));
        assert!(line.is_some_and(|line| line.contains(words)), "{host} {words}: {shown}");
    }
    assert!(shown.contains(&format!("{well}  0.1.0")) && shown.ends_with("8 hosts: 7 without an answer\n"), "{shown}");

    // Nothing is changed on the one that is well, whatever its place.
    for other in [&down, &hangs, &garbage] {
        let component = written(host.directory.path(), "new.wasm", &bytes("upcase"));
        let shown = told(5, &load(&component, &[well.clone(), other.clone()], &["--timeout=1s"]));
        assert!(shown.ends_with(&format!("nothing was changed: no look at {other}\n")), "{shown}");
    }
    assert_eq!(host.status("p")["generation"], 1);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_token_is_shown_to_all_and_hosts_that_make_no_sense_are_refused() {
    let token = "0123456789abcdef0123456789abcdef";
    let setup = host_of("downcase").config("[admin]\ntoken_file = 'token'");
    std::fs::write(setup.path().join("token"), token).unwrap();
    let host = setup.start();
    let place = admin(&host);
    let shown = told(5, &["status", &place]);
    assert!(shown.contains("token"), "{shown}");
    let file = host.directory.path().join("token").display().to_string();
    told(0, &["status", &place, "--token-file", &file]);
    for (arguments, code, words) in [
        (&["status"][..], 2, "required"),
        (&["status", "nowhere"], 2, "`nowhere` is not the admin address of a host"),
        (&["status", "https://h:1"], 2, "speaks plain HTTP"),
        (&["status", &place, &format!("http://{place}/")], 1, "the same host: name it once"),
        (&["status", "--dns", "no-such-host.invalid:1"], 1, "--dns no-such-host.invalid:1: the name is not resolved"),
        (&["load", "p", "oci://h/x:1", &place, "--persist"], 1, "--persist is for files"),
        (&["load", "p/q", "x.wasm", &place], 1, "p/q"),
        (&["load", "p", "nowhere.wasm", &place], 1, "reading nowhere.wasm"),
    ] {
        let (found, _, stderr) = fleet(arguments);
        assert!(found == code && stderr.contains(words), "{arguments:?}: {found}: {stderr}");
    }
    let many: Vec<_> = (1..=65).map(|port| format!("127.0.0.1:{port}")).collect();
    let many: Vec<_> = ["status"].into_iter().chain(many.iter().map(String::as_str)).collect();
    let (code, _, stderr) = fleet(&many);
    assert!(code == 1 && stderr.contains("65 hosts are more than 64"), "{stderr}");
    assert_eq!(host.stop(), 0);
}
