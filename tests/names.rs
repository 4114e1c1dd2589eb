//! Host names and both address families: peers are reached by IPv6 too, and logs say what a name resolves to.
//!
//! The names come from a hosts file that each command gets in its own mount namespace. Where the machine does not allow
//! one, the tests print that they are skipped.

use crate::harness::{Client, Host, PATIENCE, Process, Setup, has_names, tidegate, wait_for, with_names};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

const HOSTS: &str = "127.0.0.1 localhost\n::1 six.test\n127.0.0.1 both.test\n::1 both.test\n\
                     127.0.0.1 fleet.test\n127.0.0.2 fleet.test\n";
/// A name that never resolves.
const UNKNOWN: &str = "no-such-name.invalid";

/// The command with [`HOSTS`] as its hosts file; none where the machine has no such namespaces or no IPv6.
fn with_hosts(directory: &Path, command: &Command) -> Option<Command> {
    let hosts = directory.join("hosts");
    std::fs::write(&hosts, HOSTS).unwrap();
    has_names().then(|| with_names(&hosts, directory, command))
}

/// A publisher that is bound to an IPv6 address only, and its port.
fn publisher() -> (zmq::Socket, String) {
    let publisher = zmq::Context::new().socket(zmq::XPUB).unwrap();
    publisher.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    publisher.set_ipv6(true).unwrap();
    publisher.bind("tcp://[::1]:*").unwrap();
    let endpoint = publisher.get_last_endpoint().unwrap().unwrap();
    let port = endpoint.rsplit_once(':').unwrap().1.to_owned();
    (publisher, port)
}

/// Runs `tidegate subscribe` with a name until it has received a message.
fn subscribed(name: &str) -> Option<Process> {
    let directory = tempfile::tempdir().unwrap();
    let (publisher, port) = publisher();
    let mut command = tidegate();
    command.args(["subscribe", "--connect", &format!("tcp://{name}:{port}")]);
    let mut process = Process::start(&mut with_hosts(directory.path(), &command)?);
    publisher.recv_bytes(0).unwrap_or_else(|error| panic!("{error}: {}", process.stderr()));
    publisher.send("by IPv6", 0).unwrap();
    wait_for("the message", || process.stdout().ends_with(" by IPv6\n").then_some(()));
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    Some(process)
}

#[test]
fn a_name_with_an_address_of_ipv6_alone_is_connected_to() {
    let Some(process) = subscribed("six.test") else { return };
    assert!(!process.stderr().contains("connecting"), "{}", process.stderr());
}

#[test]
fn a_name_is_tried_by_one_family_after_the_other() {
    let Some(process) = subscribed("both.test") else { return };
    let message = "nothing answers at both.test, which stands for 127.0.0.1 and ::1; still trying\n";
    assert!(process.stderr().contains(message), "{}", process.stderr());
    assert!(process.stderr().contains("connected to tcp://both.test:"), "{}", process.stderr());
}

#[test]
fn sockets_and_surfaces_are_bound_to_what_a_name_stands_for() {
    let setup = Setup::new().committed("downcase").committed("echo").with(&[
        "--http=six.test:0",
        "--admin=six.test:0",
        "--publish=tcp://six.test:*",
        "--frontend=tcp://both.test:*",
    ]);
    let Some(mut command) = with_hosts(setup.path(), &setup.command()) else { return };
    let mut process = Process::start(&mut command);
    wait_for(&format!("ready\n{}", process.stderr()), || process.stdout().ends_with("ready\n").then_some(()));
    let stdout = process.stdout();
    for place in ["http http://[::1]:", "admin http://[::1]:", "publish tcp://[::1]:", "frontend tcp://127.0.0.1:"] {
        assert!(stdout.contains(place), "{place} is not in\n{stdout}");
    }
    assert!(!process.stderr().contains("open to other machines"), "{}", process.stderr());
    let place = |name: &str| stdout.lines().find_map(|line| line.strip_prefix(&format!("{name} "))).unwrap();
    assert_eq!(Client::at(place("http")).request("GET", "/downcase/?param=A", None).unwrap().status, 200);

    // A client connects by the name.
    let port = place("frontend").rsplit_once(':').unwrap().1;
    let mut request = tidegate();
    request.args(["request", "--clients=1", "--requests=1", "--timeout=500ms"]);
    request.args(["--connect", &format!("tcp://both.test:{port}")]);
    let mut request = Process::start(&mut with_hosts(setup.path(), &request).unwrap());
    assert_eq!(request.wait().code(), Some(0), "{}", request.stderr());
    assert!(request.stdout().contains("received: request #1"), "{}", request.stdout());
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

#[test]
fn an_unknown_name_is_said_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("tcp://{UNKNOWN}:5556");
    let message = format!("the name {UNKNOWN} is not known: ");
    let run = |arguments: &[&str]| {
        Process::start(tidegate().current_dir(directory.path()).args(arguments).args(["--connect", &endpoint]))
    };
    // A subscriber goes on trying, because the name may be added later.
    let mut subscriber = run(&["subscribe"]);
    subscriber.wait_for_line(&["connecting to", &endpoint, &message, "still trying"]);
    subscriber.signal("TERM");
    assert_eq!(subscriber.wait().code(), Some(0));
    let mut requester = run(&["request", "--clients=1", "--requests=1", "--timeout=500ms"]);
    requester.wait_for_line(&["connecting to", &endpoint, &message]);
    assert_eq!(requester.wait().code(), Some(1));
    for (flag, role) in [("publish", "PUB"), ("frontend", "ROUTER")] {
        let setup = Setup::new().committed("echo").with(&[&format!("--{flag}=tcp://{UNKNOWN}:*")]);
        let mut host = Process::start(&mut setup.command());
        assert_eq!(host.wait().code(), Some(1));
        let error = format!("error: binding {role} to tcp://{UNKNOWN}:*: {message}");
        assert!(host.stderr().contains(&error), "{}", host.stderr());
    }
    let http = Setup::new().with(&[&format!("--http={UNKNOWN}:0")]);
    let mut host = Process::start(&mut http.command());
    assert_eq!(host.wait().code(), Some(2));
    assert!(host.stderr().contains(UNKNOWN), "{}", host.stderr());
}

fn is_answered(endpoint: &str) {
    let client = zmq::Context::new().socket(zmq::REQ).unwrap();
    client.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    client.set_ipv6(endpoint.contains('[')).unwrap();
    client.connect(endpoint).unwrap();
    client.send("hello", 0).unwrap();
    assert_eq!(client.recv_bytes(0).expect(endpoint), b"hello");
}

/// `*` binds both address families; `0.0.0.0` binds IPv4 only.
#[test]
fn a_wildcard_is_both_families() {
    let host = |endpoint: &str| {
        let config = "[messaging]\nhandshake_timeout_ms = 200";
        Setup::new().committed("echo").config(config).with(&[&format!("--frontend={endpoint}")]).start()
    };
    let port = |host: &Host| host.surface("frontend").rsplit_once(':').unwrap().1.to_owned();
    let every = host("tcp://*:*");
    is_answered(&format!("tcp://127.0.0.1:{}", port(&every)));
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    assert!(every.surface("frontend").starts_with("tcp://[::]:"), "{}", every.surface("frontend"));
    is_answered(&format!("tcp://[::1]:{}", port(&every)));
    // A peer of either family can be identified, and so cut off.
    for address in ["127.0.0.1", "[::1]"] {
        let mut silent = TcpStream::connect(format!("{address}:{}", port(&every))).unwrap();
        // libzmq takes these bytes for ZMTP 1, and would wait for ever.
        silent.write_all(b"\x01\x00").unwrap();
        let from = silent.local_addr().unwrap().port();
        every.process.wait_for_line(&[&format!(":{from} "), "cut off: it has made no ZMTP 3 handshake in time"]);
    }
    assert_eq!(every.stop(), 0);
    let ipv4 = host("tcp://0.0.0.0:*");
    assert!(ipv4.surface("frontend").starts_with("tcp://0.0.0.0:"), "{}", ipv4.surface("frontend"));
    assert!(TcpStream::connect(format!("[::1]:{}", port(&ipv4))).is_err());
    assert_eq!(ipv4.stop(), 0);
}

#[test]
fn a_fleet_is_every_address_of_a_name() {
    let first = Setup::new().committed("downcase").start();
    let port = first.surface("admin").rsplit_once(':').unwrap().1.to_owned();
    let second = Setup::new().committed("downcase").with(&[&format!("--admin=127.0.0.2:{port}")]).start();
    let mut command = tidegate();
    command.args(["fleet", "status", "--dns", &format!("fleet.test:{port}")]);
    let Some(mut command) = with_hosts(first.directory.path(), &command) else { return };
    let output = command.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown} {}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.ends_with("2 hosts: all the same and ready\n"), "{shown}");
    for address in ["127.0.0.1", "127.0.0.2"] {
        assert!(shown.contains(&format!("\n{address}:{port}  ")), "{shown}");
    }
    assert_eq!((first.stop(), second.stop()), (0, 0));
}
