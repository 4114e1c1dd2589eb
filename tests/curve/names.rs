//! The key of a peer is listed with the name of its file, as the directory has it now.

use super::{Guarded, assert_echo, echo};
use crate::admin::openapi::document::Document;
use crate::harness::{bytes, wait_for};
use serde_json::{Value, json};
use std::fs;

/// The only peer of a surface, once it is as it is wanted.
#[track_caller]
fn peer(guarded: &Guarded, surface: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait_for("a peer", || {
        let peers = guarded.host.peers(surface);
        assert!(peers.len() < 2, "{peers:?}");
        peers.into_values().next().filter(&wanted)
    })
}

#[test]
fn a_key_has_the_name_of_its_file() {
    let guarded = Guarded::new(&[("echo", &echo()), ("downcase", &bytes("downcase"))]);
    guarded.authorize("client.key", &guarded.client);
    let dealer = guarded.authorized_dealer();
    assert_echo(&dealer);
    let subscriber = guarded.command("subscribe", &[]);
    guarded.publish_until_received(&subscriber);
    for surface in ["frontend", "publish"] {
        let peer = peer(&guarded, surface, |peer| peer["key"].is_string());
        assert_eq!(
            (&peer["key"], &peer["key_name"]),
            (&json!(guarded.client.public), &json!("client.key")),
            "{surface}: {peer}"
        );
    }
    Document::of(&guarded.host).check("get /peers", &guarded.host.admin_request("GET", "/peers", None));
    // The file has another name, and its key, which stays in force, too.
    fs::rename(guarded.keys.join("client.key"), guarded.keys.join("alice laptop.key")).unwrap();
    let renamed = peer(&guarded, "frontend", |peer| peer["key_name"] != "client.key");
    assert_eq!((&renamed["key_name"], &renamed["key"]), (&json!("alice laptop.key"), &json!(guarded.client.public)));
    assert_echo(&dealer);
    assert_eq!(guarded.host.peers("frontend").into_values().next().unwrap()["connected_at"], renamed["connected_at"]);
    drop(dealer);
    guarded.host.wait_for_peers("frontend", 0);
    assert_eq!(guarded.host.stop(), 0);
}
