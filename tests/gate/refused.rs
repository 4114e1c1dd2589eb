//! What is refused, what is let in, and what is said of it.

use super::*;
use crate::harness::root;
use serde_json::json;

#[test]
fn the_reason_names_the_first_difference_and_a_wanted_one_is_let_in() {
    let host = gated(&echoing(), "", &["aa", "bb", "ab"]).start();
    wait_for_log(&host, "nothing serves that it could be compared with at its gate");
    let newcomer = changing(1, 'b', 'X');
    let reason = refusal(&host, "p", &newcomer);
    let expected = "gate: yesterday.mcap: 1 of 2 inputs differ, over 0, and the rest was not looked at (1 different); the first is \
                    input 2, body changed: `bb` became `bX`; if that is wanted, load it with `tidegate plugin load` and \
                    --expect-diff";
    assert_eq!(reason, expected);
    let status = host.status("p");
    assert_eq!((&status["generation"], &status["last_refused"]["stage"]), (&json!(1), &json!("gate")));
    assert_eq!(host.post("/p/", b"bb").text(), "bb");
    // The same by the command line, by the file, and by the source that is looked at again.
    let file = host.directory.path().join("newcomer.wasm");
    std::fs::write(&file, &newcomer).unwrap();
    let (code, _, stderr) = host.run("plugin", &["load", "p", "newcomer.wasm"]);
    assert!(
        code == 1 && stderr.contains("plugin p is refused: gate: yesterday.mcap: 1 of 2 inputs differ"),
        "{stderr}"
    );
    std::fs::rename(&file, host.plugin_path("p")).unwrap();
    wait_for_log(&host, "not loaded; what served before serves on");
    wait_up_to(LONG_PATIENCE, "the file to be refused", || {
        let text = host.process.stderr();
        text.lines().find(|line| line.contains("ERROR") && line.contains("gate: yesterday.mcap")).map(drop)
    });
    assert_eq!(host.admin_request("POST", "/plugins/p/load", Some(b"")).status, 422);
    assert_eq!(host.status("p")["generation"], 1);

    let answer = host.admin_request("POST", "/plugins/p/load?expect_diff=true", Some(b""));
    assert_eq!((answer.status, &answer.json()["generation"]), (200, &json!(2)), "{}", answer.text());
    assert_eq!(host.post("/p/", b"bb").text(), "bX");
    wait_for_log(&host, "not compared with what serves, since it is expected to differ");
    let timeline = host.admin("/overview").json()["plugins"]["p"]["timeline"].take();
    let reasons: Vec<_> = timeline.as_array().unwrap().iter().filter(|entry| entry["what"] == "loaded").collect();
    assert_eq!(reasons[0]["reason"], "nothing served that it could be compared with at its gate");
    assert_eq!(reasons[1]["reason"], "it was not compared at its gate, as asked");

    // What served before is gone back to without a gate, and a component of other bytes that answers the same is let in.
    assert_eq!(host.admin_request("POST", "/plugins/p/rollback", Some(b"")).status, 200);
    assert_eq!(host.post("/p/", b"bb").text(), "bb");
    accepted(&host, "p", &renamed(&echoing(), b'a'));
    wait_for_log(&host, "passed its gate");
    assert_eq!(host.post("/p/", b"bb").text(), "bb");
    std::fs::write(host.directory.path().join("newcomer.wasm"), changing(0, 'a', 'X')).unwrap();
    host.output("plugin", &["load", "p", "newcomer.wasm", "--expect-diff"]);
    assert_eq!(host.post("/p/", b"aa").text(), "Xa");
    assert_eq!(host.admin_request("POST", "/plugins/p/load?expect=true", Some(b"")).status, 400);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_share_may_differ_places_may_be_ignored_and_orders_may_not_count() {
    let gates = [
        ("share", "max_diff = '1%'"),
        ("less", "max_diff = '0.9%'"),
        ("ts", "ignore = ['$.ts']"),
        ("set", "unordered = ['$.b']"),
    ];
    let config: String = gates.iter().map(|(plugin, lines)| gate(plugin, lines)).collect();
    let mut setup = Setup::new().config(&config);
    for (plugin, _) in gates {
        setup = setup.plugin(plugin, &echoing());
    }
    let hundred = |plugin| (0..100).map(move |number| (plugin, if number == 41 { "b" } else { "a" }.to_owned()));
    let ts = ["{\"ts\":1,\"x\":1}", "{\"ts\":3,\"x\":1}"].map(|body| ("ts", body.to_owned()));
    let set = ["{\"b\":[1,2,3]}", "{\"b\":[2,1,3]}"].map(|body| ("set", body.to_owned()));
    capture(setup.path(), hundred("share").chain(hundred("less")).chain(ts).chain(set));
    let host = setup.start();
    accepted(&host, "share", &changing(0, 'b', 'X'));
    wait_for_log(&host, "1 of 100 inputs of yesterday.mcap differ from what served");
    let reason = refusal(&host, "less", &changing(0, 'b', 'X'));
    assert!(
        reason.contains("1 of 100 inputs differ, over 0.9% (1 different); the first is input 142, body changed"),
        "{reason}"
    );
    accepted(&host, "ts", &changing(6, '1', '2'));
    let reason = refusal(&host, "ts", &changing(12, '1', '2'));
    assert!(reason.contains("body $.x changed: `1` became `2`"), "{reason}");
    // Of the second one the first two elements.
    let swapping = fixtures::transform(
        "",
        &format!(
            "(if (i32.eq (i32.load8_u offset=6 (local.get $body)) (i32.const {two})) (then
                (i32.store8 offset=6 (local.get $body) (i32.const {one}))
                (i32.store8 offset=8 (local.get $body) (i32.const {two}))))
             {}",
            fixtures::returning("(local.get $body)", "(local.get $body_len)"),
            one = u32::from('1'),
            two = u32::from('2')
        ),
    );
    accepted(&host, "set", &swapping);
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_gate_on_which_nothing_is_compared_lets_nobody_in_and_says_what_to_do() {
    let files: [(&str, Option<&[u8]>, &str); 6] = [
        ("gone", None, "reading"),
        ("empty", Some(b""), "is empty"),
        ("other", Some(b"hello"), "is neither a capture nor a file of dead letters"),
        ("broken", Some(b"{}\n{}\n"), "it has no call to make again, but 2 that cannot be read"),
        ("folder", None, "it is no regular file"),
        ("cut", None, ""),
    ];
    let mut setup = Setup::new().plugin("p", &echoing()).plugin("h", &handler());
    for (name, _, _) in files {
        setup = setup.plugin(name, &echoing()).config(&format!("[plugins.{name}.gate]\non = '{name}.mcap'"));
    }
    let setup = setup.config(&gate("p", "")).config(&gate("h", ""));
    capture(setup.path(), [("cut", "a".to_owned()), ("b", "b".to_owned())]);
    let whole = std::fs::read(setup.path().join(FILE)).unwrap();
    for (name, content, _) in files {
        if let Some(content) = content {
            std::fs::write(setup.path().join(format!("{name}.mcap")), content).unwrap();
        }
    }
    std::fs::create_dir(setup.path().join("folder.mcap")).unwrap();
    std::fs::write(setup.path().join("cut.mcap"), &whole[..whole.len() - 40]).unwrap();
    let host = setup.start();
    let newcomer = renamed(&echoing(), b'n');
    for (name, _, words) in files.iter().filter(|(name, _, _)| *name != "cut") {
        let reason = refusal(&host, name, &newcomer);
        let remedy = format!("name a capture with calls of {name} in plugins.{name}.gate.on");
        let is_told = if *name == "gone" { reason.contains("o such file") } else { reason.contains(words) };
        assert!(is_told && reason.contains(&remedy) && reason.contains("--expect-diff"), "{name}: {reason}");
        assert_eq!(host.status(name)["generation"], 1);
    }
    let reason = refusal(&host, "p", &newcomer);
    assert!(reason.contains("it has no call of p, but of b, cut: name a capture"), "{reason}");
    let reason = refusal(&host, "h", &renamed(&handler(), b'n'));
    assert!(reason.contains("h is a handler of HTTP alone, whose calls are not made again"), "{reason}");
    // What is there of a file that was cut off behind its last record is compared.
    accepted(&host, "cut", &newcomer);
    // Nothing of it stands on stderr beside the log.
    let stderr = host.process.stderr();
    assert!(stderr.lines().all(|line| line.starts_with("20")), "{stderr}");
    assert_eq!(host.stop(), 0);
}

fn handler() -> Vec<u8> {
    std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap()
}

#[test]
fn a_reply_policy_is_held_to_the_requests_that_it_answered() {
    let setup = Setup::new().plugin("policy", &fixtures::replying(1, 0)).config(&gate("policy", ""));
    capture(setup.path(), ["a", "b"].map(|body| ("policy", body.to_owned())));
    let host = setup.start();
    let reason = refusal(&host, "policy", &fixtures::replying(1, 5));
    assert!(reason.contains("input 1, another delay: `0 ms` became `5 ms`"), "{reason}");
    let reason = refusal(&host, "policy", &fixtures::replying(2, 0));
    assert!(reason.contains("input 1, more messages: `1` became `2`"), "{reason}");
    // One without the role is no newcomer, whatever it answers.
    let answer = put(&host, "policy", &echoing());
    assert_eq!((answer.status, &answer.json()["stage"]), (422, &json!("type-check")), "{}", answer.text());
    accepted(&host, "policy", &renamed(&fixtures::replying(1, 0), b'n'));
    assert_eq!(host.stop(), 0);
}

#[test]
fn where_nothing_serves_there_is_nothing_to_compare_with() {
    let host = gated(&echoing(), "", &["a"]).config(&gate("new", "")).start();
    // The first load of its name, of which the file has no call.
    accepted(&host, "new", &echoing());
    assert_eq!(host.admin_request("DELETE", "/plugins/p", None).status, 200);
    accepted(&host, "p", &changing(0, 'a', 'X'));
    assert_eq!(host.post("/p/", b"a").text(), "X");
    let refused = refusal(&host, "new", &renamed(&echoing(), b'n'));
    assert!(refused.contains("it has no call of new, but of p"), "{refused}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_gate_comes_into_force_while_the_host_runs() {
    let host = Setup::new().plugin("p", &echoing()).config("[plugins.p.settings]\nk = '1'").start();
    capture(host.directory.path(), [("p", "a".to_owned())]);
    let config = host.directory.path().join("tidegate.toml");
    let reread = |text: &str, words: &str| {
        std::fs::write(&config, text).unwrap();
        let before = host.process.stderr().len();
        host.process.signal("HUP");
        wait_up_to(LONG_PATIENCE, words, || host.process.stderr()[before..].contains(words).then_some(()));
    };
    accepted(&host, "p", &changing(0, 'x', 'y'));
    let (generation, settings) = (host.status("p")["generation"].clone(), "[plugins.p.settings]\nk = '1'\n");
    reread(&(settings.to_owned() + &gate("p", "")), "plugins.p.gate");
    // What serves goes on as it is.
    assert_eq!(host.status("p")["generation"], generation);
    refusal(&host, "p", &changing(0, 'a', 'X'));
    // Other settings that are sent do not open it.
    let sent = host.admin_request("PUT", "/flows", Some(b"[plugins.p.settings]\nk = '2'"));
    assert_eq!(sent.status, 200, "{}", sent.text());
    refusal(&host, "p", &changing(0, 'a', 'X'));
    reread(&(settings.to_owned() + &gate("p", "max_diff = '?'")), "`?` is neither a number of inputs");
    refusal(&host, "p", &changing(0, 'a', 'X'));
    reread(settings, "plugins.p.gate");
    accepted(&host, "p", &changing(0, 'a', 'X'));
    assert_eq!(host.stop(), 0);
}
