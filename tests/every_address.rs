//! All addresses of a name: sockets and clients are connected to each, follow those that come and go, and lose no message.
//!
//! The names come from a hosts file of the test's own, which changes while the host runs. Where the machine allows none, the
//! tests print that they are skipped.

mod clients;
mod curve;
mod pools;

use crate::flows::unconnected;
use crate::harness::{Host, Setup, has_names, wait_for, wait_up_to, with_names};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

/// An address that left is let go of two seconds after its last message.
const SILENCE: Duration = Duration::from_secs(2);
/// Names are looked up ten times a second.
const OFTEN: &str = "[messaging]\nname_look_up_ms = 100\n";
const FIRST: &str = "127.0.0.2";
const SECOND: &str = "127.0.0.3";
const THIRD: &str = "[::1]";

/// The hosts file.
struct Names {
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl Names {
    /// None where the machine does not allow one.
    fn new(names: &[(&str, &[&str])]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let names_file = Self { file: directory.path().join("hosts"), _directory: directory };
        names_file.set(names);
        has_names().then_some(names_file)
    }

    /// From now on these names have these addresses, and no others.
    fn set(&self, names: &[(&str, &[&str])]) {
        let lines = names.iter().flat_map(|(name, addresses)| {
            let address = |address: &&str| format!("{} {name}\n", address.trim_matches(['[', ']']));
            addresses.iter().map(address).collect::<Vec<_>>()
        });
        // In place: the file is mounted.
        std::fs::write(&self.file, format!("127.0.0.1 localhost\n{}", lines.collect::<String>())).unwrap();
    }

    #[track_caller]
    fn start(&self, setup: Setup) -> Host {
        setup.start_as(|directory, command| with_names(&self.file, directory, command))
    }
}

/// A port that is free at all addresses.
fn port() -> u16 {
    wait_for("a port that is free everywhere", || {
        let first = TcpListener::bind((FIRST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let others = [format!("{SECOND}:{port}"), format!("{THIRD}:{port}")].map(TcpListener::bind);
        others.iter().all(Result::is_ok).then_some(port)
    })
}

fn bound(kind: zmq::SocketType, address: &str, port: u16) -> zmq::Socket {
    let socket = unconnected(kind);
    socket.set_ipv6(address.contains(':')).unwrap();
    // What no peer takes is not to wait in libzmq.
    socket.set_immediate(true).unwrap();
    socket.bind(&format!("tcp://{address}:{port}")).unwrap();
    socket
}

/// The addresses of the peers of a socket.
fn peers(host: &Host, socket: &str) -> BTreeSet<String> {
    let address = |peer: &String| peer.rsplit_once(':').unwrap().0.to_owned();
    host.peers(socket).keys().map(address).collect()
}

#[track_caller]
fn wait_for_peers(host: &Host, socket: &str, addresses: &[&str]) {
    let wanted: BTreeSet<_> = addresses.iter().map(|address| (*address).to_owned()).collect();
    wait_for(&format!("the peers of {socket} to be {wanted:?}"), || (peers(host, socket) == wanted).then_some(()));
}

fn is_ready(host: &Host) -> bool {
    host.readiness() == ["ready"]
}

fn has_metric(host: &Host, line: &str) -> bool {
    host.admin("/metrics").text().lines().any(|own| own == line)
}

/// The message of a PULL or SUB, if one is there.
fn now(socket: &zmq::Socket) -> Option<String> {
    let is_there = socket.poll(zmq::POLLIN, 0).unwrap() > 0;
    is_there.then(|| String::from_utf8(socket.recv_bytes(0).unwrap()).unwrap())
}

#[test]
fn what_is_pulled_and_pushed_follows_the_addresses_of_a_name_and_nothing_is_lost() {
    const EACH: u32 = 400;
    let Some(names) = Names::new(&[("feeds.test", &[FIRST, SECOND]), ("sinks.test", &[FIRST, SECOND])]) else { return };
    let (feed_port, sink_port) = (port(), port());
    let config = format!(
        "{OFTEN}[sockets.in]\ntype = 'pull'\nconnect = ['dns+tcp://feeds.test:{feed_port}']\n\
         [sockets.out]\ntype = 'push'\nconnect = ['dns+tcp://sinks.test:{sink_port}']\n[flows.relay]\nfrom = ['in']\nto = ['out']"
    );
    let feeds = [FIRST, SECOND, THIRD].map(|address| bound(zmq::PUSH, address, feed_port));
    let sinks = [FIRST, SECOND, THIRD].map(|address| bound(zmq::PULL, address, sink_port));
    let mut host = names.start(Setup::new().committed("downcase").config(&config));
    wait_for("the host to be ready", || is_ready(&host).then_some(()));
    wait_for_peers(&host, "in", &[FIRST, SECOND]);
    wait_for_peers(&host, "out", &[FIRST, SECOND]);
    let gauge = |socket: &str, name: &str, port: u16, count: u32| {
        format!("tidegate_socket_name_addresses{{socket=\"{socket}\",endpoint=\"dns+tcp://{name}:{port}\"}} {count}")
    };
    assert!(has_metric(&host, &gauge("in", "feeds.test", feed_port, 2)), "{}", host.admin("/metrics").text());

    let (mut sent, mut arrived) = (BTreeSet::new(), BTreeSet::new());
    let mut send = |feed: usize, numbers: std::ops::Range<u32>| {
        for number in numbers {
            let text = format!("{feed} {number}");
            feeds[feed].send(&text, 0).unwrap();
            sent.insert(text);
        }
    };
    send(0, 0..EACH);
    send(1, 0..EACH);
    // One leaves and another comes, on both sides, while messages are on their way and the one that left goes on sending.
    names.set(&[("feeds.test", &[THIRD, SECOND]), ("sinks.test", &[SECOND, THIRD])]);
    send(0, EACH..2 * EACH);
    host.process.wait_for_line(&["connecting to an address that a name has", &format!("{THIRD}:{feed_port}")]);
    send(0, 2 * EACH..3 * EACH);
    wait_for_peers(&host, "out", &[SECOND, THIRD]);
    send(1, EACH..2 * EACH);
    wait_up_to(SILENCE * 5, "the one that left to be let go of", || {
        arrived.extend(sinks.iter().flat_map(|sink| std::iter::from_fn(|| now(sink))));
        (peers(&host, "in") == BTreeSet::from([SECOND.to_owned(), THIRD.to_owned()])).then_some(())
    });
    send(2, 0..EACH);
    wait_for("all messages", || {
        arrived.extend(sinks.iter().flat_map(|sink| std::iter::from_fn(|| now(sink))));
        (arrived.len() >= sent.len()).then_some(())
    });
    assert_eq!(arrived, sent);
    assert!(feeds[0].send("nobody", zmq::DONTWAIT).is_err(), "it is still connected");
    assert!(has_metric(&host, &gauge("in", "feeds.test", feed_port, 2)));
    let (code, told) = host.stop_and_tell();
    assert_eq!(code, 0, "{told}");
}

#[test]
fn a_name_that_is_not_known_is_told_of_and_one_that_is_forgotten_cuts_nobody_off() {
    let Some(names) = Names::new(&[]) else { return };
    let port = port();
    let endpoint = format!("dns+tcp://feed.test:{port}");
    let config = format!(
        "{OFTEN}[sockets.in]\ntype = 'sub'\nconnect = ['{endpoint}']\nsequence = 1\n[sockets.out]\ntype = 'push'\n\
         bind = ['tcp://127.0.0.1:*']\n[flows.relay]\nfrom = ['in']\nto = ['out']"
    );
    let host = names.start(Setup::new().committed("downcase").config(&config));
    let unknown = format!("connecting to {endpoint}: the name feed.test is not known: ");
    wait_for("the complaint", || host.readiness().iter().any(|line| line.contains(&unknown)).then_some(()));
    host.process.wait_for_line(&["the name feed.test is not known", "it is looked up again", &endpoint]);
    let reader = unconnected(zmq::PULL);
    reader.connect(host.surface("out")).unwrap();

    let publishers = [FIRST, SECOND].map(|address| bound(zmq::XPUB, address, port));
    names.set(&[("feed.test", &[FIRST])]);
    assert_eq!(publishers[0].recv_bytes(0).unwrap(), b"\x01");
    wait_for("the host to be ready", || is_ready(&host).then_some(()));
    let mut number = 0_u64;
    let mut publish = |publisher: &zmq::Socket| {
        number += 1;
        let frames = [b"tick".to_vec(), number.to_be_bytes().to_vec()];
        publisher.send_multipart(&frames, 0).unwrap();
        assert_eq!(reader.recv_multipart(0).expect("what was published"), frames);
    };
    publish(&publishers[0]);

    // The name server has gone, and with it nothing.
    names.set(&[]);
    host.process.wait_for_line(&["the name feed.test is not known", "its last addresses stay in use", &endpoint]);
    let failed = format!("tidegate_socket_name_look_ups_failed_total{{socket=\"in\",endpoint=\"{endpoint}\"}} ");
    let failures = || {
        let text = host.admin("/metrics").text().to_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(&failed)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {failed}:\n{text}")).parse::<u64>().unwrap()
    };
    let before = failures();
    wait_for("more failures", || (failures() > before + 1).then_some(()));
    publish(&publishers[0]);
    assert!(is_ready(&host));
    assert_eq!(peers(&host, "in").len(), 1);

    // It is back, and has moved.
    names.set(&[("feed.test", &[SECOND])]);
    assert_eq!(publishers[1].recv_bytes(0).unwrap(), b"\x01");
    publish(&publishers[1]);
    wait_up_to(SILENCE * 5, "the other one to be left", || (peers(&host, "in").len() == 1).then_some(()));
    assert_eq!(peers(&host, "in"), BTreeSet::from([SECOND.to_owned()]));
    publish(&publishers[1]);
    // The other one has noticed: nobody is subscribed there any more.
    assert_eq!(publishers[0].recv_bytes(0).unwrap(), b"\x00");
    assert_eq!(host.stop(), 0);
}

#[test]
fn every_address_gets_what_is_published_until_the_socket_or_the_address_goes() {
    let Some(names) = Names::new(&[("hubs.test", &[FIRST, SECOND])]) else { return };
    let port = port();
    let hubs = [FIRST, SECOND].map(|address| bound(zmq::SUB, address, port));
    let config = |endpoint: &str| {
        format!(
            "{OFTEN}[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[sockets.out]\ntype = 'pub'\n\
             connect = ['{endpoint}:{port}']\n[flows.relay]\nfrom = ['in']\nto = ['out']"
        )
    };
    let setup = Setup::new().committed("downcase").config(&config("dns+tcp://hubs.test"));
    let mut host = names.start(setup);
    let source = unconnected(zmq::PUSH);
    source.connect(host.surface("in")).unwrap();
    let has_subscribers = |count: u32| {
        let line = format!("tidegate_socket_subscriptions{{socket=\"out\"}} {count}");
        wait_for("the subscriptions", || {
            // libzmq sends them when the socket is used.
            let _ = hubs.each_ref().map(|hub| hub.get_events().unwrap());
            has_metric(&host, &line).then_some(())
        });
    };
    has_subscribers(2);
    source.send("both", 0).unwrap();
    assert!(hubs.iter().all(|hub| hub.recv_bytes(0).unwrap() == b"both"));
    names.set(&[("hubs.test", &[SECOND])]);
    wait_for_peers(&host, "out", &[SECOND]);
    source.send("one", 0).unwrap();
    assert_eq!((hubs[1].recv_bytes(0).unwrap(), now(&hubs[0])), (b"one".to_vec(), None));

    // A configuration without the name ends its look-ups.
    let file = host.directory.path().join("tidegate.toml");
    std::fs::write(file, config(&format!("tcp://{FIRST}"))).unwrap();
    host.process.signal("HUP");
    wait_for_peers(&host, "out", &[FIRST]);
    names.set(&[("hubs.test", &[THIRD])]);
    let gauge = "tidegate_socket_name_addresses{socket=\"out\"";
    assert!(!host.admin("/metrics").text().contains(gauge), "the name is still looked up");
    let (code, told) = host.stop_and_tell();
    assert_eq!(code, 0, "{told}");
    assert!(!host.process.stderr().contains(THIRD), "{}", host.process.stderr());
}
