//! A peer that does what no library does harms neither other peers nor the host.

mod floods;
mod frames;
mod subscriptions;

use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Setup, wait_up_to};
use crate::raw_peer::{RawPeer, subscription};
use std::time::{Duration, Instant};

/// The longest that another subscriber may wait for a message, on a slow and busy machine. Without the bounds it would
/// wait as long as the hostile peer sends, and longer.
const DELAY_MAX: Duration = Duration::from_secs(10);

fn host(config: &str) -> Host {
    Setup::new().plugin("plain", &fixtures::answering("", None)).config(config).start()
}

/// A host for each of the two ways in which a publisher handles subscriptions.
fn hosts() -> [Host; 2] {
    ["", "[publisher]\nretain = true"].map(host)
}

/// A well-behaved subscriber to `message`.
fn other(host: &Host) -> RawPeer {
    let mut other = RawPeer::connect(host.surface("publish"), "SUB", b"");
    other.write(&subscription(true, b"message")).unwrap();
    wait_up_to(LONG_PATIENCE, "the other's subscription", || (subscriptions(host) > 0).then_some(()));
    other
}

fn connect(host: &Host) -> RawPeer {
    RawPeer::connect(host.surface("publish"), "SUB", b"")
}

fn metric(host: &Host, name: &str) -> u64 {
    let text = host.admin("/metrics").text().to_owned();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64
}

fn subscriptions(host: &Host) -> u64 {
    metric(host, "tidegate_socket_subscriptions{socket=\"publish\"}")
}

fn cut_off(host: &Host) -> u64 {
    metric(host, "tidegate_socket_peers_cut_off_total{socket=\"publish\"}")
}

/// The resident memory of the host; 0 where the system has no `/proc`.
fn resident_mib(host: &Host) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", host.process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Publishes one message after the other while `goes_on`; each must arrive within [`DELAY_MAX`].
#[track_caller]
fn publish_while(host: &Host, other: &mut RawPeer, mut goes_on: impl FnMut() -> bool) {
    let client = Client::new(host);
    let started = Instant::now();
    while goes_on() {
        let sent = Instant::now();
        assert_eq!(client.request("POST", "/plain/", Some(b"message")).unwrap().status, 200);
        assert_eq!(other.receive().unwrap(), [b"message"]);
        assert!(sent.elapsed() < DELAY_MAX, "a message took {:?}", sent.elapsed());
        assert!(started.elapsed() < 2 * LONG_PATIENCE, "it goes on and on:\n{}", host.process.stderr());
    }
}
