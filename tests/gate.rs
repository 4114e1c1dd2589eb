//! A newcomer that answers captured traffic otherwise than what serves is refused, whichever way it comes, and says where.

mod newcomers;
mod refused;
mod traffic;

use crate::diff::changing;
use crate::fixtures;
use crate::harness::{Answer, Host, LONG_PATIENCE, Setup, wait_up_to};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use tidegate::record::capture::record::{Call, CallRole, Record};
use tidegate::record::capture::{About, CaptureWriter, Channel, PlaceKind};

/// The file that the gates of these tests are of.
const FILE: &str = "yesterday.mcap";

/// Writes a capture of calls of these plugins with these bodies, in this order; the one called `policy` is a reply policy.
fn capture<'a>(directory: &Path, calls: impl IntoIterator<Item = (&'a str, String)>) {
    let about = About { seed: 7, ..About::default() };
    let mut writer =
        CaptureWriter::new(File::create(directory.join(FILE)).unwrap(), &about, Arc::default(), 1 << 30).unwrap();
    let channel = Channel { kind: PlaceKind::Route, name: "r".to_owned(), topic: None };
    for (number, (plugin, body)) in (1..).zip(calls) {
        // The first frame of a request is its client's identity.
        let (role, identity) = match plugin {
            "policy" => (CallRole::Policy, Some("client".into())),
            _ => (CallRole::Transform, None),
        };
        let (plugin, role) = (plugin.to_owned(), role.into());
        let call = Call { plugin, generation: 1, digest: vec![0xab; 32], number, role, ..Call::default() };
        let frames = identity.into_iter().chain([body.into()]).collect();
        writer.write(&channel, number, &Record { frames, metadata: Vec::new(), call: Some(call) }).unwrap();
    }
    writer.finish().unwrap();
}

/// A host whose plugin `p` has a gate with these lines behind the file, on calls with these bodies.
pub fn gated(component: &[u8], lines: &str, bodies: &[&str]) -> Setup {
    let setup = Setup::new().plugin("p", component).config(&gate("p", lines));
    capture(setup.path(), bodies.iter().map(|body| ("p", (*body).to_owned())));
    setup
}

fn gate(plugin: &str, lines: &str) -> String {
    format!("[plugins.{plugin}.gate]\non = '{FILE}'\n{lines}\n")
}

/// The same code in other bytes.
fn renamed(component: &[u8], name: u8) -> Vec<u8> {
    [component, &fixtures::custom_section("other", &[name])].concat()
}

fn echoing() -> Vec<u8> {
    fixtures::echoing(1 << 20)
}

#[track_caller]
fn put(host: &Host, plugin: &str, component: &[u8]) -> Answer {
    // On a busy machine the host may have no time to tell.
    wait_up_to(LONG_PATIENCE, "time for it", || {
        let answer = host.admin_request("PUT", &format!("/plugins/{plugin}"), Some(component));
        Some(answer).filter(|answer| answer.status != 503)
    })
}

/// The reason for which the gate refuses a component.
#[track_caller]
fn refusal(host: &Host, plugin: &str, component: &[u8]) -> String {
    let answer = put(host, plugin, component);
    assert_eq!(answer.status, 422, "{}", answer.text());
    let problem = answer.json();
    assert_eq!(problem["stage"], "gate", "{problem}");
    problem["detail"].as_str().unwrap().to_owned()
}

#[track_caller]
fn accepted(host: &Host, plugin: &str, component: &[u8]) {
    let answer = put(host, plugin, component);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[track_caller]
fn wait_for_log(host: &Host, words: &str) {
    wait_up_to(LONG_PATIENCE, words, || host.process.stderr().contains(words).then_some(()));
}
