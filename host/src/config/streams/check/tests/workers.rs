//! Pools of workers, steps that name them, and the flow of the frontend.

use super::{SOCKETS, assert_refused, assert_taken};

/// Pools behind the sockets; the next line is the tenth.
const POOLS: &str = "[workers]\nscore = { bind = ['tcp://127.0.0.1:7001'] }\nother = { bind = ['ipc:///tmp/other'] }\n";

#[test]
fn a_pool_that_makes_no_sense_is_refused() {
    for (keys, words) in [
        ("bind = []", ["line 2", "workers.w.bind", "say where workers connect"]),
        ("bind = ['none']", ["line 2", "workers.w.bind[0]", "leave it out"]),
        ("bind = ['tcp://*:1', 'tcp://*:1']", ["line 2", "workers.w.bind[1]", "twice"]),
        ("bind = ['tcp://*:1']\ncurve = true", ["line 3", "workers.w.curve", "tidegate keygen"]),
        ("bind = ['tcp://*:4444']", ["line 2", "workers.w.bind[0]", "messaging.publish binds too"]),
        ("bind = ['tcp://h:1', 'tcp://H:1']", ["line 2", "workers.w.bind[1]", "workers.w binds too"]),
    ] {
        assert_refused(&format!("[workers.w]\n{keys}\n"), &words);
    }
    for name in ["Up", "\"a.b\"", "\"\""] {
        let text = format!("\n[workers.{name}]\nbind = ['tcp://*:1']");
        assert_refused(&text, &["line 2", "does not match [a-z0-9][a-z0-9_-]*"]);
    }
    let taken = format!("{SOCKETS}[workers.w]\nbind = ['tcp://127.0.0.1:*', 'tcp://localhost:7000']");
    assert_refused(&taken, &["line 8", "workers.w.bind[1]", "sockets.news binds too"]);
    let keys = "[curve]\nsecret_key_file = 's'\nauthorized_keys_dir = 'd'\n";
    for text in ["bind = ['tcp://*:*']", "bind = ['ipc://x', 'tcp://*:1']\ncurve = true"] {
        assert_taken(&format!("{keys}[workers.w]\n{text}\n"));
    }
}

#[test]
fn a_step_that_names_no_pool_is_refused() {
    for (step, words) in [
        ("workers.scor", "did you mean `score`?"),
        ("workers.zzz", "there are `other`, `score`; name one of them, or add [workers.zzz]"),
        ("workers.", "no pool of workers is named ``"),
        ("worker.score", "plugin name `worker.score` does not match"),
    ] {
        for section in ["[flows.f]\nfrom = ['ticks']\nto = ['publish']", "[routes.r]\nheaders = []\nto = []"] {
            let text = format!("{SOCKETS}{POOLS}{section}\nthrough = ['a', '{step}']\n");
            assert_refused(&text, &["line 13", "through[1]", words]);
        }
    }
    assert_refused("[routes.r]\nthrough = ['workers.a']", &["line 2", "through[0]", "add [workers.a]"]);
    // One pool in several places, twice in one of them, and behind it what may be a circle and is none.
    let through = "through = ['workers.score', 'a', 'workers.score', 'workers.other']";
    assert_taken(&format!(
        "{SOCKETS}{POOLS}[flows.f]\nfrom = ['peer']\nto = ['peer']\n{through}\n[flows.g]\nfrom = ['ticks']\n\
         to = ['publish']\n{through}\n[routes.r]\n{through}"
    ));
}

#[test]
fn the_flow_of_the_frontend_answers_whoever_asks() {
    let flow = |keys: &str| format!("{SOCKETS}{POOLS}[flows.f]\n{keys}\n");
    for (keys, words) in [
        ("from = ['frontend', 'ticks']\nthrough = ['a']", ["line 11", "flows.f.from", "a flow of their own"]),
        ("from = ['frontend']\nthrough = ['a']\nto = ['news']", ["line 13", "flows.f.to", "the client that asked"]),
        ("from = ['frontend']", ["line 10", "flows.f.through", "that answer"]),
        ("from = ['frontend']\nthrough = ['workers.scor']", ["line 12", "through[0]", "did you mean `score`?"]),
        ("from = ['frontend']\nthrough = ['a']\norder = 'none'", ["line 13", "order", "leave it out"]),
        ("from = ['frontend']\nthrough = ['a']\non_error = 'drop'", ["line 13", "on_error", "a dead letter"]),
        ("from = ['frontend']\nthrough = ['a']\nin_flight_bytes_max = 7", ["line 13", "bytes_max", "[messaging]"]),
    ] {
        assert_refused(&flow(keys), &words);
    }
    let sound = flow("from = ['frontend']\nthrough = ['a', 'workers.score']\nin_flight_max = 7\nidempotent = true");
    for (before, words) in [
        ("[messaging]\npolicy = 'p'\n", ["line 13", "flows.f.from", "messaging.policy `p` answers"]),
        ("[messaging]\nfrontend = 'none'\n", ["line 13", "flows.f.from", "messaging.frontend is none"]),
    ] {
        assert_refused(&format!("{before}{sound}"), &words);
    }
    let two = format!("{sound}[flows.g]\nfrom = ['frontend']\nthrough = ['a']");
    assert_refused(&two, &["line 16", "flows.g.from", "flows.f answers the frontend already"]);
    let taken = format!("{sound}[workers.w]\nbind = ['tcp://*:5570']");
    assert_refused(&taken, &["line 16", "workers.w.bind[0]", "messaging.frontend binds too"]);
    assert_taken(&sound);
}
