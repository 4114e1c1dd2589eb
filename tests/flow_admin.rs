//! Flows of a running host are looked at, held up and changed, while others beside them lose nothing.

mod commands;
mod load;

use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Answer, Client, Host, PATIENCE, Setup, wait_for};
use load::{under_load, wait_for_more};
use serde_json::{Value, json};
use std::path::Path;

/// One flow between two sockets in the host's directory, and a plugin that passes messages on.
fn one_flow(directory: &Path) -> String {
    format!(
        "{}{}{}",
        socket(directory, "jobs", "pull"),
        socket(directory, "done", "push"),
        flow("work", "jobs", "done")
    )
}

fn socket(directory: &Path, name: &str, kind: &str) -> String {
    format!("[sockets.{name}]\ntype = '{kind}'\nbind = ['{}']\nqueue_messages_max = 100\n", endpoint(directory, name))
}

fn endpoint(directory: &Path, socket: &str) -> String {
    format!("ipc://{}/{socket}", directory.display())
}

fn flow(name: &str, from: &str, to: &str) -> String {
    format!("[flows.{name}]\nfrom = ['{from}']\nthrough = ['check']\nto = ['{to}']\n")
}

fn start(config: impl Fn(&Path) -> String) -> Host {
    let setup = Setup::new().plugin("check", &fixtures::trapping_on(b'!')).committed("upcase");
    let config = config(setup.path());
    setup.config(&config).start()
}

fn peer(host: &Host, kind: zmq::SocketType, socket: &str) -> zmq::Socket {
    let peer = unconnected(kind);
    peer.connect(&endpoint(host.directory.path(), socket)).unwrap();
    peer
}

fn text(peer: &zmq::Socket) -> String {
    String::from_utf8(peer.recv_bytes(0).expect("a message")).unwrap()
}

fn put(host: &Host, path: &str, body: &str) -> Answer {
    host.admin_request("PUT", path, Some(body.as_bytes()))
}

/// Has the host run this, and says what was changed.
#[track_caller]
fn apply(host: &Host, config: &str) -> Value {
    let answer = put(host, "/flows", config);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn changes(added: &[&str], changed: &[&str], removed: &[&str]) -> Value {
    json!({"added": added, "changed": changed, "removed": removed, "restart": []})
}

#[test]
fn a_mistake_changes_nothing_and_is_told_of() {
    let host = start(one_flow);
    let directory = host.directory.path();
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    let before = host.admin("/flows").json();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (whole, new) = (one_flow(directory), socket(directory, "new", "pull"));
    let busy = new.replace(&endpoint(directory, "new"), &format!("tcp://127.0.0.1:{port}"));
    for (config, words) in [
        (whole.replace("check", "nobody"), ["flows.work.through", "`nobody`", "--plugin"]),
        (whole.replace("to = ['done']", "to = ['doen']"), ["line 12", "flows.work.to[0]", "done"]),
        (whole.replace("type = 'pull'", "type = 'pul'"), ["line 2", "unknown variant `pul`", "`pull`"]),
        (format!("{whole}{busy}{}", flow("x", "new", "done")), ["new", &port.to_string(), "in use"]),
        (format!("{whole}{}", flow("x", "jobs", "done")), ["jobs", "flows.work", "flows.x"]),
        (format!("{whole}[http]\nadress = 'none'\n"), ["line 14", "adress", "expected"]),
        ("[".to_owned(), ["line 1", "column", "["]),
    ] {
        let file = directory.join("next.toml");
        std::fs::write(&file, &config).unwrap();
        let (code, stdout, stderr) = host.run("flow", &["apply", "next.toml"]);
        assert_eq!((code, stdout.as_str()), (1, ""), "{config}");
        let answer = put(&host, "/flows", &config);
        assert_eq!(answer.status, 422, "{}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        for word in words {
            assert!(stderr.contains(word) && detail.contains(word), "{word:?} is not in: {stderr}{detail}");
        }
    }
    for (body, word) in [
        ("from = ['jobs']\nto = 1", "line 2"),
        ("from = ['jobs']\nthrough = ['nobody']\nto = ['done']", "`nobody`"),
        ("from = ['nowhere']\nto = ['done']", "flows.work.from[0]"),
    ] {
        let answer = put(&host, "/flows/work", body);
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert!(answer.text().contains(word), "{word:?} is not in: {}", answer.text());
    }
    assert_eq!(put(&host, "/flows/a%20b", "from = ['jobs']\nto = ['done']").status, 422);
    assert_eq!(host.admin_request("PUT", "/flows", Some(b"\xff")).status, 400);
    assert_eq!(host.admin("/flows").json(), before);
    jobs.send("still", 0).unwrap();
    assert_eq!(text(&done), "still");
    assert_eq!(host.stop(), 0);
}

/// The one that holds the port has to go first; it is back when the one that is to come cannot be.
#[test]
fn what_made_way_for_a_socket_that_cannot_be_bound_runs_again() {
    let host = start(one_flow);
    let directory = host.directory.path();
    let config = one_flow(directory).replacen(
        &format!("['{}']", endpoint(directory, "jobs")),
        &format!("['{}', 'ipc:///nowhere/at/all']", endpoint(directory, "jobs")),
        1,
    );
    let answer = put(&host, "/flows", &config);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("/nowhere/at/all"), "{}", answer.text());
    let (jobs, done) = (peer(&host, zmq::PUSH, "jobs"), peer(&host, zmq::PULL, "done"));
    jobs.send("again", 0).unwrap();
    assert_eq!(text(&done), "again");
    assert_eq!(host.stop(), 0);
}

#[test]
fn one_flow_is_added_as_toml_or_json() {
    let host = start(|directory| one_flow(directory).replace("'pull'", "'sub'"));
    let second = json!({"from": ["jobs"], "through": ["upcase"], "to": ["publish"]}).to_string();
    let client = Client::at(host.surface("admin"));
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = client.request_with("PUT", "/flows/second", &headers, Some(second.as_bytes())).unwrap();
    assert_eq!((answer.status, answer.json()), (200, changes(&["flows.second"], &[], &[])));
    let answer = put(&host, "/flows/third", "from = ['jobs']\nto = ['publish']\n");
    assert_eq!((answer.status, answer.json()), (200, changes(&["flows.third"], &[], &[])));
    let paths: Vec<_> =
        host.admin("/flows").json().as_array().unwrap().iter().map(|flow| flow["through"].clone()).collect();
    assert_eq!(paths, [json!(["check"]), json!(["upcase"]), json!([])]);
    assert_eq!(host.stop(), 0);
}

/// Requests that go through a route go to the sockets that there are.
#[test]
fn routes_change_with_the_sockets_that_they_write() {
    let host = start(one_flow);
    let directory = host.directory.path();
    let (config, out) = (one_flow(directory), socket(directory, "out", "push"));
    let route = "[routes.loud]\nthrough = ['upcase']\nto = ['out']\n";
    assert_eq!(host.get("/loud/?param=a").status, 404);
    let added = apply(&host, &format!("{config}{out}{route}"));
    assert_eq!(added, changes(&["sockets.out", "routes.loud"], &[], &[]));
    for socket in [out.clone(), out.replace("100", "50"), out.replace(&endpoint(directory, "out"), "tcp://127.0.0.1:*")]
    {
        apply(&host, &format!("{config}{socket}{route}"));
        let endpoint = match socket.contains("tcp") {
            true => {
                // The answer may be here before the line.
                host.process.wait_for_line(&["socket opened", "tcp://"]);
                let log = host.process.stderr();
                let line = log.lines().rfind(|line| line.contains("socket opened")).unwrap();
                line.split_whitespace().find_map(|word| word.strip_prefix("endpoint=")).unwrap().replace('"', "")
            }
            false => endpoint(directory, "out"),
        };
        let receiver = zmq::Context::new().socket(zmq::PULL).unwrap();
        receiver.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
        receiver.connect(&endpoint).unwrap();
        assert_eq!(host.get("/loud/?param=a").text(), "upper case of a is A");
        assert_eq!(text(&receiver), "upper case of a is A");
    }
    assert_eq!(apply(&host, &config), changes(&[], &[], &["sockets.out", "routes.loud"]));
    assert_eq!(host.get("/loud/?param=a").status, 404);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_key_that_waits_for_a_restart_is_named() {
    let host = start(one_flow);
    let config = one_flow(host.directory.path());
    let file = host.directory.path().join("next.toml");
    let config = config + "[http]\nrequests_max = 7\n[plugins.check.settings]\n'a.b' = 'a-secret'\n[routes.check]\n";
    std::fs::write(&file, &config).unwrap();
    let answer = apply(&host, &config);
    assert_eq!((&answer["restart"], &answer["added"]), (&json!(["http.requests_max"]), &json!(["routes.check"])));
    assert_eq!(answer["changed"], json!(["plugins.check.settings"]));
    assert_eq!(host.output("flow", &["apply", "next.toml"]), "http.requests_max waits for a restart\n");
    host.process.wait_for_line(&[
        "WARN",
        "takes effect at the next start",
        "key=http.requests_max",
        "configured=\"7\"",
    ]);
    assert!(!host.process.stderr().contains("a-secret"));
    // What is left out says nothing of limits and settings.
    assert_eq!(host.output("flow", &["apply", "tidegate.toml"]), "routes.check removed\n");
    assert_eq!(host.output("flow", &["apply", "tidegate.toml"]), "nothing has changed\n");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_sighup_does_the_same() {
    let host = start(one_flow);
    let directory = host.directory.path();
    let file = directory.join("tidegate.toml");
    let sockets = socket(directory, "in", "pull") + &socket(directory, "out", "push");
    let config = one_flow(directory) + &sockets + &flow("new", "in", "out") + "[routes.loud]\nthrough = ['upcase']\n";
    under_load(&host, |arrived| {
        std::fs::write(&file, &config).unwrap();
        host.process.signal("HUP");
        for key in ["sockets.in", "sockets.out", "flows.new", "routes.loud"] {
            host.process.wait_for_line(&["INFO", &format!("key={key}"), "the configuration has changed here: added"]);
        }
        let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
        sender.send("a", 0).unwrap();
        assert_eq!(text(&receiver), "a");
        assert_eq!(host.get("/loud/?param=a").status, 200);
        std::fs::write(&file, config.replace("to = ['out']", "to = ['nowhere']")).unwrap();
        host.process.signal("HUP");
        host.process.wait_for_line(&["ERROR", "the configuration is not taken", "line"]);
        wait_for_more(arrived);
        // What was only sent is in force until the file is read again.
        apply(&host, &one_flow(directory));
        assert_eq!(host.admin("/flows/new").status, 404);
        std::fs::write(&file, &config).unwrap();
        host.process.signal("HUP");
        wait_for("the flow of the file", || (host.admin("/flows/new").status == 200).then_some(()));
    });
    assert_eq!(host.stop(), 0);
}
