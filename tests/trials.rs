//! Trying things on a running host: calls tell how they went, whole routes and flows are called, examples are kept, a plugin
//! is held up, and a dead letter meets another component; nothing of that reaches a sink.

use crate::fixtures;
use crate::harness::{Client, DOWN, Host, Setup, UP, bytes, wait_for};
use serde_json::{Value, json};

#[track_caller]
fn post(host: &Host, path: &str, body: &[u8]) -> (u16, Value) {
    let answer = host.admin_request("POST", path, Some(body));
    (answer.status, answer.json())
}

#[track_caller]
fn call(host: &Host, path: &str, call: &Value) -> (u16, Value) {
    post(host, path, call.to_string().as_bytes())
}

fn message(body: &str) -> Value {
    json!({"message": {"body": body}})
}

#[test]
fn a_call_tells_its_time_and_its_log_whether_it_ends_well_or_not() {
    let host = Setup::new()
        .plugin("chatty", &fixtures::logging(200))
        .plugin("complains", &fixtures::complaining())
        .committed("downcase")
        .start();
    let (status, told) = call(&host, "/plugins/chatty/call", &message("a"));
    assert_eq!((status, &told["log_left_out"]), (200, &json!(100)), "{told}");
    let lines = told["log"].as_array().unwrap();
    assert_eq!(lines.len(), 100);
    assert!(lines[0]["level"].is_string() && !lines[0]["text"].as_str().unwrap().is_empty(), "{}", lines[0]);
    assert!(told["duration_us"].as_u64().unwrap() > 0);
    let (status, told) = call(&host, "/plugins/complains/call", &message("Trap"));
    assert_eq!(
        (status, &told["log"][0]["text"], &told["log"][0]["level"]),
        (502, &json!("Trap"), &json!("error")),
        "{told}"
    );
    assert!(told["duration_us"].is_u64(), "{told}");
    assert!(told.get("example").is_none(), "nobody promises a trap: {told}");
    // What one call logs is no other's.
    let (_, told) = call(&host, "/plugins/downcase/call", &message("a"));
    assert_eq!((&told["log"], &told["log_left_out"]), (&json!([]), &json!(0)));
    let (code, stdout, stderr) = host.run("plugin", &["call", "chatty", "a"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        !stdout.contains("log: ") && stderr.contains("log: 100 more lines\n") && stderr.contains("took: "),
        "{stderr}"
    );
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_example_is_kept_and_every_load_tries_it() {
    let host = Setup::new().plugin("x", &bytes("downcase")).start();
    let (_, told) = call(&host, "/plugins/x/call", &message("AbC"));
    let example = told["example"].as_str().unwrap();
    let (status, saved) = post(&host, "/plugins/x/examples?name=three%20letters", example.as_bytes());
    assert_eq!(status, 200, "{saved}");
    let (before, count) = (saved["examples"].as_u64().unwrap(), &saved["generation"]);
    assert_eq!((count, &saved["persisted"]), (&json!(2), &json!(true)), "{saved}");
    let file = std::fs::read(host.plugin_path("x")).unwrap();
    assert!(file.windows(13).any(|part| part == b"three letters"));
    assert_eq!(host.get("/x/?param=AbC").header("tidegate-generation"), "2");
    // One that it does not pass is refused with what it promises, and changes nothing.
    let wrong = example.replace("lower case of AbC is abc", "another");
    let (status, refused) = post(&host, "/plugins/x/examples", wrong.as_bytes());
    assert_eq!((status, &refused["stage"]), (422, &json!("examples")), "{refused}");
    assert_eq!(std::fs::read(host.plugin_path("x")).unwrap(), file);
    assert_eq!(post(&host, "/plugins/x/examples", b"x = 1").0, 400);
    assert_eq!(post(&host, "/plugins/x/examples?label=a", example.as_bytes()).0, 400);

    let (code, _, stderr) = host.run("plugin", &["call", "x", "Ü", "--save", "an umlaut"]);
    let carries = format!("x carries {} examples now, in generation 3", before + 1);
    assert!(code == 0 && stderr.contains(&carries), "{stderr}");
    let (code, stdout, _) = host.run("plugin", &["test", host.plugin_path("x").to_str().unwrap()]);
    assert!(code == 0 && stdout.contains("ok      an umlaut"), "{stdout}");
    // Where the file holds something else there is nothing to add to.
    std::fs::write(host.plugin_path("x"), b"garbage").unwrap();
    let (status, refused) = post(&host, "/plugins/x/examples", example.as_bytes());
    assert_eq!(status, 409, "{refused}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn saved_examples_push_out_nothing_that_there_is_to_go_back_to() {
    let host = Setup::new().plugin("x", &bytes("downcase")).start();
    let first = host.status("x")["digest"].clone();
    assert_eq!(host.admin_request("PUT", "/plugins/x?persist=true", Some(&bytes("upcase"))).status, 200);
    let (_, told) = call(&host, "/plugins/x/call", &message("AbC"));
    let example = told["example"].as_str().unwrap().as_bytes();
    for (number, generation) in [("1", 3), ("2", 4), ("3", 5)] {
        let (status, saved) = post(&host, &format!("/plugins/x/examples?name={number}"), example);
        assert_eq!((status, &saved["generation"]), (200, &json!(generation)), "{saved}");
    }
    let (status, refused) = post(&host, "/plugins/x/examples?name=3", example);
    assert!(status == 400 && refused["detail"].as_str().unwrap().contains("\"3\" already"), "{refused}");
    let previous = host.status("x")["previous"].clone();
    assert_eq!(previous, json!([{"generation": 1, "digest": first}]));
    assert_eq!(post(&host, "/plugins/x/rollback", b"").0, 200);
    assert_eq!(host.get("/x/?param=AbC").text(), DOWN);
    assert_eq!(host.stop(), 0);
}

#[test]
fn all_steps_of_a_route_or_a_flow_are_tried_and_nothing_is_sent() {
    let config = "[routes.both]\nthrough = ['downcase', 'upcase']\n\
                  [sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                  [flows.clean]\nfrom = ['in']\nthrough = ['check', 'downcase']\nto = ['publish']\n";
    let setup = Setup::new().committed("downcase").committed("upcase").plugin("check", &fixtures::trapping_on(b'!'));
    let host = setup.config(config).start();
    let (status, told) = call(&host, "/routes/both/call", &message("AbC"));
    assert_eq!(status, 200, "{told}");
    assert_eq!(
        told["messages"][0]["frames"],
        json!(["upper case of lower case of AbC is abc is LOWER CASE OF ABC IS ABC"])
    );
    let steps = told["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| (&step["step"], &step["generation"], &step["messages"])).collect();
    assert_eq!(names, [(&json!("downcase"), &json!(1), &json!(1)), (&json!("upcase"), &json!(1), &json!(1))]);
    let (status, told) = call(&host, "/flows/clean/call", &json!({"message": {"topic": "t", "body": "A"}}));
    assert_eq!((status, told["steps"].as_array().unwrap().len()), (200, 2), "{told}");
    let (status, told) = call(&host, "/flows/clean/call", &message("!a"));
    assert_eq!((status, told["steps"].as_array().unwrap().len()), (502, 1), "{told}");
    assert_eq!(told["steps"][0]["failed"], true, "{told}");
    for (path, body, expected) in [
        ("/flows/nobody/call", message("a"), 404),
        ("/routes/nobody/call", message("a"), 404),
        ("/flows/clean/call", json!({"request": {"frames": ["a"]}}), 400),
        ("/flows/clean/call", json!({}), 400),
    ] {
        let (status, told) = call(&host, path, &body);
        assert_eq!(status, expected, "{path}: {told}");
    }
    // A route that a plugin has by itself is one of a single step.
    assert_eq!(call(&host, "/routes/downcase/call", &message("A")).1["steps"].as_array().unwrap().len(), 1);
    let shown = host.output("flow", &["call", "--route", "both", "AbC"]);
    assert!(shown.contains("step: upcase, generation 1: 1 messages") && shown.contains("took: "), "{shown}");
    assert!(host.output("flow", &["call", "clean", "A"]).contains("step: check, generation 1"));
    let hops = host.ledger()["hops"].clone();
    for hop in ["publish", "transform", "routes.both", "flows.clean", "dead-letter"] {
        assert_eq!(hops[hop]["in"], 0, "{hop}: {hops}");
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn what_is_tried_takes_no_plugin_out_of_service() {
    let config = "[rollback]\nfailures = 2\npause_ms = 3600000\npause_ms_max = 3600000\n\
                  [routes.both]\nthrough = ['x', 't']\n";
    let setup = Setup::new().plugin("x", &bytes("downcase")).plugin("t", &fixtures::trapping()).config(config);
    let host = setup.start();
    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&fixtures::trapping())).status, 200);
    for path in ["/plugins/x/call", "/plugins/t/call", "/routes/x/call", "/routes/both/call"].repeat(3) {
        let (status, told) = call(&host, path, &message("a"));
        assert_eq!(status, 502, "{path}: {told}");
    }
    for (name, generation) in [("x", 2), ("t", 1)] {
        let status = host.status(name);
        let found = ["generation", "rollbacks", "pauses", "state"].map(|key| &status[key]);
        assert_eq!(found, [&json!(generation), &json!(0), &json!(0), &json!("serving")], "{status}");
    }
    // They count where all calls do.
    assert_eq!(host.ledger()["plugins"]["x"]["dropped"]["trapped"], 9);
    // What comes from outside does take it out of service.
    let statuses = [0; 2].map(|_| host.get("/x/?param=a").status);
    assert_eq!((statuses, &host.status("x")["generation"]), ([502; 2], &json!(3)));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_plugin_that_is_paused_is_not_called_until_it_is_resumed_or_another_serves() {
    let config = "[rollback]\nfailures = 2\npause_ms = 3600000\npause_ms_max = 3600000\n";
    let setup = Setup::new().plugin("x", &bytes("downcase")).plugin("t", &fixtures::trapping()).config(config);
    let host = setup.start();
    let (status, told) = post(&host, "/plugins/x/pause", b"");
    assert_eq!((status, &told["state"], &told["held"]), (200, &json!("paused"), &json!(true)), "{told}");
    assert!(told["notice"].as_str().unwrap().contains("paused, as asked"), "{told}");
    let answer = host.get("/x/?param=a");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text());
    assert!(answer.text().contains("as its operator asked"), "{}", answer.text());
    assert_eq!(call(&host, "/plugins/x/call", &message("a")).0, 503);
    assert_eq!(host.ledger()["plugins"]["x"]["dropped"]["paused"], 2);
    assert!(host.readiness().iter().any(|line| line.contains("plugin x: generation 1 is paused, as asked")));
    let shown = host.output("plugin", &["resume", "x"]);
    assert_eq!((host.get("/x/?param=a").status, shown.as_str()), (200, "x is serving\n"));
    let shown = host.output("plugin", &["pause", "x"]);
    assert_eq!(shown, "x is paused: generation 1 is paused, as asked, until it is resumed\n");
    let answer = host.admin_request("PUT", "/plugins/x", Some(&bytes("upcase")));
    assert_eq!((answer.status, host.get("/x/?param=AbC").text()), (200, UP));
    assert_eq!(host.status("x")["held"], false);
    // One that the host has paused is resumed too.
    wait_for("its pause", || {
        host.get("/t/?param=a");
        (host.status("t")["state"] == "paused").then_some(())
    });
    assert_eq!(host.get("/t/?param=a").status, 503);
    let (_, told) = post(&host, "/plugins/t/resume", b"");
    assert_eq!(told["state"], "serving", "{told}");
    assert_eq!(host.get("/t/?param=a").status, 502);
    assert_eq!(post(&host, "/plugins/nobody/pause", b"").0, 404);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_host_is_not_ready_while_the_policy_of_the_frontend_is_paused() {
    let host = Setup::new().committed("echo").start();
    assert_eq!(post(&host, "/plugins/echo/pause", b"").0, 200);
    let ready = host.admin("/readyz");
    let why = "plugin echo: generation 1 is paused, as asked, until it is resumed";
    assert!(ready.status == 503 && ready.text().starts_with(why), "{}", ready.text());
    assert_eq!(post(&host, "/plugins/echo/resume", b"").0, 200);
    assert_eq!(host.readiness(), ["ready"]);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_flow_waits_for_a_plugin_that_is_paused() {
    let config = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n\
                  [flows.clean]\nfrom = ['in']\nthrough = ['x']\nto = ['publish']\n";
    let host = Setup::new().plugin("x", &bytes("downcase")).config(config).start();
    assert_eq!(post(&host, "/plugins/x/pause", b"").0, 200);
    let push = crate::flows::unconnected(zmq::PUSH);
    push.connect(host.surface("in")).unwrap();
    push.send("A", 0).unwrap();
    let refusals = || host.ledger()["plugins"]["x"]["dropped"]["paused"].as_u64().unwrap_or(0);
    wait_for("the message to wait", || (refusals() > 0).then_some(()));
    assert_eq!(host.ledger()["hops"]["flows.clean"]["in_flight"], 1);
    assert_eq!(post(&host, "/plugins/x/resume", b"").0, 200);
    wait_for("the message to leave", || (host.ledger()["hops"]["flows.clean"]["out"] == 1).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_dead_letter_meets_another_component_and_stays_as_it_was() {
    let host = Setup::new().plugin("p", &fixtures::trapping()).config("[rollback]\nfailures = 0").start();
    let failed = host.get("/p/?param=AbC");
    assert_eq!(failed.status, 502);
    let id = failed.header("tidegate-request");
    wait_for("the letter", || (host.admin(&format!("/dead-letters/{id}")).status == 200).then_some(()));
    let path = format!("/dead-letters/{id}/replay?with=component");
    let (status, told) = post(&host, &path, &bytes("upcase"));
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["messages"][0]["frames"], json!([UP]), "{told}");
    assert!(told.get("plugin").is_none() && told["duration_us"].is_u64() && told["component_digest"].is_string());
    let (status, told) = post(&host, &path, &fixtures::trapping());
    assert_eq!(status, 502, "{told}");
    let (status, refused) = post(&host, &path, b"garbage");
    assert_eq!((status, &refused["stage"], &refused["plugin"]), (422, &json!("compile"), &json!("p")), "{refused}");
    assert_eq!(post(&host, "/dead-letters/0-0/replay?with=component", &bytes("upcase")).0, 404);
    let listed = host.admin("/dead-letters").json();
    assert!(listed["letters"][0]["replay"].is_null(), "it has no mark: {listed}");
    let ledger = host.ledger();
    assert_eq!((&ledger["plugins"]["p"]["in"], &ledger["hops"]["publish"]["in"]), (&json!(1), &json!(0)));
    assert_eq!(host.status("p")["generation"], 1);

    let component = crate::harness::component("upcase");
    let admin = host.surface("admin").trim_start_matches("http://");
    let arguments = ["replay", id, "--component", component.to_str().unwrap(), "--admin", admin];
    let shown = host.output("dead-letters", &arguments);
    assert!(shown.starts_with("by: component ") && shown.contains(UP), "{shown}");
    let (code, _, stderr) = host.run("dead-letters", &["replay", id, "--send", "--admin", admin]);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn many_try_at_the_same_time_and_each_gets_its_own_log() {
    let host = Setup::new().plugin("chatty", &fixtures::logging(3)).committed("downcase").start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = Client::at(host.surface("admin"));
                for _ in 0..20 {
                    let body = message("a").to_string();
                    let told = client.request("POST", "/plugins/chatty/call", Some(body.as_bytes())).unwrap().json();
                    assert_eq!(
                        (told["log"].as_array().unwrap().len(), &told["log_left_out"]),
                        (3, &json!(0)),
                        "{told}"
                    );
                    let told = client.request("POST", "/plugins/downcase/call", Some(body.as_bytes())).unwrap().json();
                    assert_eq!(told["log"], json!([]));
                }
            });
        }
    });
    assert_eq!(host.stop(), 0);
}
