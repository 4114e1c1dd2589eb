//! Another chain of plugins beside that of a flow.

use super::{counts, groups, rebuilt, refused};
use crate::fixtures;
use crate::flows::unconnected;
use crate::harness::{Host, Setup, wait_for};
use serde_json::{Value, json};

const FLOW: &str = "\
[sockets.in]
type = 'pull'
bind = ['tcp://127.0.0.1:*']
[flows.clean]
from = ['in']
through = ['downcase']
to = ['publish']
";

/// A host with a flow, and peers that send to it and read what comes out of it.
struct Bench {
    host: Host,
    sender: zmq::Socket,
    reader: zmq::Socket,
}

impl Bench {
    fn new(setup: Setup) -> Self {
        let host = setup.committed("downcase").committed("upcase").start();
        let (sender, reader) = (unconnected(zmq::PUSH), unconnected(zmq::SUB));
        sender.connect(host.surface("in")).unwrap();
        reader.connect(host.surface("publish")).unwrap();
        wait_for("the subscription", || {
            let peers = host.peers("publish");
            peers.values().any(|peer| peer["subscriptions"].as_u64() > Some(0)).then_some(())
        });
        Self { host, sender, reader }
    }

    /// What comes out of the flow for these bodies.
    fn send(&self, bodies: &[&str]) -> Vec<String> {
        bodies.iter().for_each(|body| self.sender.send_multipart(["t", body], 0).unwrap());
        let read = || String::from_utf8(self.reader.recv_multipart(0).unwrap().pop().unwrap()).unwrap();
        bodies.iter().map(|_| read()).collect()
    }

    #[track_caller]
    fn shadow(&self, arguments: &[&str]) -> String {
        self.host.output("flow", &[&["shadow"], arguments].concat())
    }

    fn status(&self) -> Value {
        self.host.admin("/flows/clean/shadow").json()
    }

    #[track_caller]
    fn compared(&self, count: u64) -> Value {
        wait_for("the messages of a shadow", || Some(self.status()).filter(|found| found["compared"] == count))
    }
}

#[test]
fn what_comes_out_of_another_chain_is_compared_and_the_flow_can_come_to_lead_through_it() {
    let bench = Bench::new(Setup::new().config(FLOW));
    let begun = bench.shadow(&["clean", "--through=downcase,upcase", "--min-calls=3", "--max-diff=3"]);
    assert!(begun.contains("the shadow downcase → upcase beside flows.clean is running"), "{begun}");
    let bodies = ["A", "B", "C"];
    assert_eq!(bench.send(&bodies), ["lower case of A is a", "lower case of B is b", "lower case of C is c"]);
    let found = bench.compared(3);
    assert_eq!((counts(&found), groups(&found)), (json!({"different": 3}), vec![("body changed".to_owned(), 3)]));
    // Messages of a flow are processed at the same time, and compared as they are done.
    let new = "upper case of lower case of A is a is LOWER CASE OF A IS A";
    let examples = found["groups"][0]["examples"].as_array().unwrap();
    assert!(examples.iter().any(|example| example["new"] == new), "{found}");
    assert_eq!(bench.host.ledger()["plugins"]["upcase"]["in"], 0);
    let shown = bench.shadow(&["status", "clean"]);
    assert!(shown.contains("3 calls compared with downcase, 3 differ"), "{shown}");
    let promoted = bench.shadow(&["promote", "clean"]);
    assert!(promoted.contains("flows.clean leads through downcase → upcase"), "{promoted}");
    assert_eq!(bench.send(&["A"]), [new]);
    let ended = bench.status();
    assert_eq!((&ended["state"], &ended["why"]), (&json!("promoted"), &json!("the flow leads through it")));
}

#[test]
fn a_chain_of_the_same_code_does_not_differ_whatever_it_draws() {
    let config = FLOW.replace("'downcase'", "'draw', 'tell'");
    let setup = Setup::new().plugin("draw", &fixtures::drawing()).plugin("tell", &fixtures::telling_time());
    let bench = Bench::new(setup.config(&config));
    bench.shadow(&["clean", "--through=draw,tell", "--min-calls=10", "--auto"]);
    for body in ["a"; 9] {
        bench.sender.send_multipart(["t", body], 0).unwrap();
    }
    assert_eq!(counts(&bench.compared(9)), json!({"same": 9}));
    // Another generation of a step is another chain.
    let newcomer = bench.host.directory.path().join("newcomer.wasm");
    std::fs::write(&newcomer, rebuilt(&fixtures::telling_time())).unwrap();
    bench.host.output("plugin", &["load", "tell", newcomer.to_str().unwrap()]);
    bench.sender.send_multipart(["t", "a"], 0).unwrap();
    assert_eq!(counts(&bench.compared(1)), json!({"same": 1}));
    wait_for("the promotion", || {
        bench.sender.send_multipart(["t", "a"], 0).unwrap();
        (bench.status()["state"] == "promoted").then_some(())
    });
}

#[test]
fn a_chain_is_of_what_serves_now_or_is_not_promoted() {
    let bench = Bench::new(Setup::new().config(FLOW).plugin("b", &fixtures::echoing(1 << 20)));
    bench.shadow(&["clean", "--through=downcase", "--min-calls=1"]);
    bench.send(&["A"]);
    bench.compared(1);
    // Another flow, and nothing that was compared with it.
    let flow = FLOW.replace("'downcase'", "'b'");
    assert_eq!(bench.host.admin_request("PUT", "/flows", Some(flow.as_bytes())).status, 200);
    let (code, _, stderr) = bench.host.run("flow", &["shadow", "promote", "clean"]);
    assert!(code == 1 && stderr.contains("something else serves by now"), "{stderr}");
    assert_eq!(bench.status()["may_serve"], false);
    bench.sender.send_multipart(["t", "A"], 0).unwrap();
    let found = wait_for("a comparison with the other flow", || {
        Some(bench.status()).filter(|found| found["against"]["through"] == json!(["b"]) && found["compared"] == 1)
    });
    assert_eq!(counts(&found), json!({"different": 1}));
    bench.shadow(&["stop", "clean"]);
    // Another plugin under the name of a step, which was not called yet.
    bench.shadow(&["clean", "--through=b", "--min-calls=1"]);
    bench.sender.send_multipart(["t", "A"], 0).unwrap();
    assert_eq!(counts(&bench.compared(1)), json!({"same": 1}));
    bench.host.output("plugin", &["unload", "b"]);
    let upcase = crate::harness::component("upcase");
    bench.host.output("plugin", &["load", "b", upcase.to_str().unwrap()]);
    let (code, _, stderr) = bench.host.run("flow", &["shadow", "promote", "clean"]);
    assert!(code == 1 && stderr.contains("something else serves by now"), "{stderr}");
}

#[test]
fn what_makes_no_chain_is_named() {
    let bench = Bench::new(Setup::new().config(FLOW).plugin("policy", &fixtures::replying(1, 0)));
    for (arguments, words) in [
        (["clean", "--through=none"], "none is no plugin that could be called once more"),
        (["clean", "--through=downcase,policy"], "policy processes no messages"),
        (["other", "--through=downcase"], "no flow is named other"),
        (["status", "clean"], "no shadow stands beside flows.clean"),
        (["promote", "clean"], "no shadow runs beside it"),
    ] {
        let (code, _, stderr) = bench.host.run("flow", &[&["shadow"], &arguments[..]].concat());
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
    assert!(refused(&bench.host, &["shadow", "status", "clean"]).contains("no shadow stands beside clean"));
    bench.shadow(&["clean", "--through=upcase"]);
    let config = bench.host.directory.path().join("without.toml");
    std::fs::write(&config, "[messaging]\n").unwrap();
    bench.host.output("flow", &["apply", config.to_str().unwrap()]);
    wait_for("its end", || (bench.status()["why"] == "the flow is gone").then_some(()));
}
