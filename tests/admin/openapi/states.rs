//! Answers that take a host in another state than that of rest: with letters, busy, guarded, or without a broker.

use super::document::Document;
use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, bytes, wait_for, wait_up_to};
use std::io::Write;
use std::net::TcpStream;

/// Replays letters, to each of the ends that a call has.
pub fn letters(host: &Host, document: &mut Document) {
    for (plugin, status) in [("fail", 502), ("fail", 502), ("wait", 504)] {
        assert_eq!(host.get(&format!("/{plugin}/?param=a")).status, status);
    }
    let listed = wait_for("the letters", || {
        let listed = host.admin_request("GET", "/dead-letters", None);
        (listed.json()["letters"].as_array().unwrap().len() == 3).then_some(listed)
    });
    document.check("get /dead-letters", &listed);
    let listed = listed.json();
    let ids: Vec<_> =
        listed["letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    document.check("get /dead-letters/{id}", &host.admin_request("GET", &format!("/dead-letters/{}", ids[0]), None));
    let with = |component: &[u8]| {
        host.admin_request("POST", &format!("/dead-letters/{}/replay?with=component", ids[0]), Some(component))
    };
    for (component, status) in [(bytes("upcase"), 200), (b"garbage".to_vec(), 422)] {
        let answer = with(&component);
        assert_eq!(answer.status, status, "{}", answer.text());
        document.check("post /dead-letters/{id}/replay", &answer);
    }
    let mut replay = |id: &str, status| {
        let answer = host.admin_request("POST", &format!("/dead-letters/{id}/replay"), None);
        assert_eq!(answer.status, status, "{}", answer.text());
        document.check("post /dead-letters/{id}/replay", &answer);
    };
    replay(ids[0], 502);
    replay(ids[2], 504);
    assert_eq!(host.admin_request("PUT", "/plugins/fail", Some(&bytes("upcase"))).status, 200);
    replay(ids[0], 200);
    replay(ids[0], 409);
    assert_eq!(host.admin_request("PUT", "/plugins/fail", Some(&fixtures::erring(false, "no"))).status, 200);
    replay(ids[1], 422);
}

/// Begins uploads that never end, until one more is refused.
pub fn busy(host: &Host, document: &mut Document) {
    let address = host.surface("admin").trim_start_matches("http://");
    let mut uploads = Vec::new();
    let refused = wait_up_to(LONG_PATIENCE, "a refusal", || {
        // One more upload each time, because the request below takes a place for a moment too.
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"PUT /plugins/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
        uploads.push(stream);
        Some(host.admin_request("PUT", "/plugins/x", Some(b"garbage"))).filter(|answer| answer.status == 503)
    });
    document.check("put /plugins/{name}", &refused);
    drop(uploads);
    wait_up_to(LONG_PATIENCE, "the places to be free again", || {
        (host.admin_request("PUT", "/plugins/x", Some(b"garbage")).status == 422).then_some(())
    });
}

/// Persists a component whose source cannot be written.
pub fn not_persisted(host: &Host, document: &mut Document) {
    let source = host.directory.path().join("plugins/x.wasm");
    std::fs::remove_file(&source).unwrap();
    std::fs::create_dir(&source).unwrap();
    let answer = host.admin_request("PUT", "/plugins/x?persist=true", Some(&bytes("upcase")));
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("serves"), "{}", answer.text());
    document.check("put /plugins/{name}", &answer);
    assert!(crate::admin::served(host).1.contains("ABC"));

    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("downcase"))).status, 200);
    std::fs::write(host.directory.path().join("cache/tidegate/condemned"), "in the way").unwrap();
    let answer = host.admin_request("POST", "/plugins/x/rollback?persist=true", None);
    assert_eq!(answer.status, 500, "{}", answer.text());
    assert!(answer.text().contains("serves") && answer.text().contains("condemned"), "{}", answer.text());
    document.check("post /plugins/{name}/rollback", &answer);
    assert!(crate::admin::served(host).1.contains("ABC"));
}

/// What asks for no token: the page and the two probes.
const FOR_STRANGERS: [&str; 5] = ["/", "/page/{name}", "/page/{folder}/{name}", "/livez", "/readyz"];

/// Makes every operation with too many header fields, and all but the page and the two probes without the token and from a web
/// page.
pub fn strangers(document: &mut Document) {
    let setup = Setup::new().committed("downcase");
    std::fs::write(setup.path().join("token"), "0123456789abcdef").unwrap();
    let guarded = setup.config("[admin]\ntoken_file = 'token'").start();
    let open = Setup::new().committed("downcase").start();
    let names: Vec<String> = (0..101).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "y")).collect();
    for operation in document.operations() {
        let (method, path) = operation.split_once(' ').unwrap();
        let (method, probe) = (method.to_uppercase(), FOR_STRANGERS.contains(&path));
        let path = path.replace("{folder}", "views").replace("{name}", "downcase").replace("{id}", "0-0");
        let path = path.replace("{worker}", "1");
        let answer = Client::at(open.surface("admin")).request_with(&method, &path, &many, None).unwrap();
        assert_eq!(answer.status, 431, "{operation}: {}", answer.text());
        document.check(&operation, &answer);
        if probe {
            continue;
        }
        for (host, headers) in [(&guarded, &[][..]), (&open, &[("origin", "http://example.org")])] {
            let client = Client::at(host.surface("admin"));
            document.check(&operation, &client.request_with(&method, &path, headers, None).unwrap());
        }
    }
}

/// Uses a host without a frontend, which is then drained.
pub fn without_a_broker_and_to_the_end(document: &mut Document) {
    let mut host = Setup::new().committed("downcase").config("[dead_letters]\nfile = 'none'").start();
    document.check("get /dead-letters", &host.admin_request("GET", "/dead-letters", None));
    document.check("get /broker", &host.admin_request("GET", "/broker", None));
    for order in ["pause", "resume", "drain"] {
        let answer = host.admin_request("POST", &format!("/broker/{order}"), Some(b""));
        document.check(&format!("post /broker/{order}"), &answer);
    }
    document.check("post /drain", &host.admin_request("POST", "/drain", Some(b"")));
    assert_eq!(host.wait(), 0);
}
