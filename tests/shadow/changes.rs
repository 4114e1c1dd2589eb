//! What a shadow stands beside changes, or the shadow is ended, while it is called or about to serve.

use super::{compared, counts, file, rebuilt, refused, shadow, status};
use crate::fixtures;
use crate::harness::{Setup, wait_for};
use serde_json::json;
use std::time::{Duration, Instant};

fn echoing() -> Vec<u8> {
    fixtures::echoing(1 << 20)
}

#[test]
fn a_plugin_that_is_unloaded_is_not_brought_back() {
    let host = Setup::new().plugin("p", &echoing()).plugin("other", &echoing()).start();
    shadow(&host, "p", &rebuilt(&echoing()), &["--min-calls=3"]);
    (0..3).for_each(|_| drop(host.post("/p/", b"a")));
    compared(&host, "p", 3);
    host.output("plugin", &["unload", "p"]);
    let why = refused(&host, &["shadow", "promote", "p"]);
    assert!(why.contains("no shadow runs beside it"), "{why}");
    assert_eq!(host.admin("/plugins/p").status, 404);
}

#[test]
fn a_shadow_that_was_stopped_does_not_serve_however_far_its_promotion_was() {
    let gate = "[plugins.p.gate]\non = 'nowhere.mcap'\n";
    let host = Setup::new().plugin("p", &echoing()).config(gate).start();
    shadow(&host, "p", &rebuilt(&echoing()), &["--min-calls=1", "--auto"]);
    let refused = wait_for("a refusal", || {
        host.post("/p/", b"a");
        Some(status(&host, "p")).filter(|found| found["why"].as_str().is_some_and(|why| why.contains("nowhere.mcap")))
    });
    // What was refused for good is not asked for once more.
    assert_eq!((&refused["may_serve"], &refused["obstacle"]), (&json!(false), &refused["why"]));
    host.output("plugin", &["shadow", "stop", "p"]);
    assert_eq!(status(&host, "p")["state"], "stopped");
    assert_eq!(host.status("p")["generation"], 1);
}

#[test]
fn other_settings_are_those_of_the_newcomer_too() {
    let config = "[plugins.p.settings]\nk = 'v'\n";
    let host = Setup::new().plugin("p", &fixtures::telling_setting("k")).config(config).start();
    shadow(&host, "p", &rebuilt(&fixtures::telling_setting("k")), &["--min-calls=1"]);
    assert_eq!(host.post("/p/", b"a").text(), "v");
    assert_eq!(counts(&compared(&host, "p", 1)), json!({"same": 1}));
    let applied = host.admin_request("PUT", "/flows", Some(b"[plugins.p.settings]\nk = 'w'\n"));
    assert_eq!(applied.status, 200, "{}", applied.text());
    let found = wait_for("a comparison under the new settings", || {
        assert_eq!(host.post("/p/", b"a").text(), "w");
        Some(status(&host, "p")).filter(|found| found["against"]["generation"] == 2 && found["compared"] != 0)
    });
    assert_eq!(found["differing"], 0, "{found}");
}

#[test]
fn settings_are_tried_on_what_serves_now_and_put_beside_those_that_are_in_force() {
    let config = "[plugins.p.settings]\nk = 'v'\nother = 'w'\n";
    let host = Setup::new().plugin("p", &echoing()).config(config).start();
    host.output("plugin", &["shadow", "p", "--set=k=new", "--min-calls=1", "--max-diff=100%"]);
    host.post("/p/", b"a");
    assert_eq!(counts(&compared(&host, "p", 1)), json!({"same": 1}));
    host.output("plugin", &["load", "p", file(&host, &fixtures::telling_setting("k")).to_str().unwrap()]);
    let why = refused(&host, &["shadow", "promote", "p"]);
    assert!(why.contains("something else serves by now"), "{why}");
    let found = wait_for("a comparison with what serves now", || {
        host.post("/p/", b"a");
        Some(status(&host, "p")).filter(|found| found["against"]["generation"] == 2 && found["compared"] != 0)
    });
    assert_eq!(found["groups"][0]["examples"][0]["new"], "new", "{found}");
    let changed = host.admin_request("PUT", "/flows", Some(b"[plugins.p.settings]\nk = 'v'\nother = 'x'\n"));
    assert_eq!(changed.status, 200, "{}", changed.text());
    wait_for("a comparison under the new settings", || {
        host.post("/p/", b"a");
        let found = status(&host, "p");
        (found["against"]["generation"] == 3 && found["compared"] != 0).then_some(())
    });
    let (code, _, stderr) = host.run("plugin", &["shadow", "promote", "p", "--persist"]);
    assert!(code == 1 && stderr.contains("leave out persist"), "{stderr}");
    host.output("plugin", &["shadow", "promote", "p"]);
    assert_eq!(host.post("/p/", b"a").text(), "new");
    host.output("plugin", &["load", "p", file(&host, &fixtures::telling_setting("other")).to_str().unwrap()]);
    assert_eq!(host.post("/p/", b"a").text(), "x", "what was changed meanwhile is not undone");
}

#[test]
fn a_call_that_goes_on_for_ever_ends_with_its_shadow_and_with_the_host() {
    let config = "[limits]\ncall_deadline_ms = 60_000\n[shutdown]\ngrace_ms = 30_000\n";
    let host = Setup::new().plugin("p", &echoing()).config(config).start();
    let ended = || {
        let hop = host.ledger()["hops"]["shadows.p"].clone();
        (hop["in_flight"] == 0).then_some(hop)
    };
    for _ in 0..10 {
        shadow(&host, "p", &fixtures::looping(), &[]);
        (0..3).for_each(|_| drop(host.post("/p/", b"a")));
        host.output("plugin", &["shadow", "stop", "p"]);
        wait_for("its call to end", ended);
    }
    assert_eq!(ended().unwrap()["dropped"]["superseded"], 30);
    shadow(&host, "p", &fixtures::looping(), &[]);
    host.post("/p/", b"a");
    let began = Instant::now();
    assert_eq!(host.stop(), 0);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
