//! The clients: `subscribe` and `request` are connected to all addresses of a name, and `worker` has a worker at each.

use super::{FIRST, Names, SECOND, THIRD, bound, port};
use crate::harness::{Client, Host, LONG_PATIENCE, Process, Setup, tidegate, wait_for, wait_up_to, with_names};

/// Names are looked up every five seconds, and an address that left is let go of two seconds later.
const PATIENCE: std::time::Duration = LONG_PATIENCE;

impl Names {
    fn run(&self, arguments: &[&str]) -> (Process, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let mut command = tidegate();
        command.args(arguments);
        (Process::start(&mut with_names(&self.file, directory.path(), &command)), directory)
    }
}

#[test]
fn a_subscriber_follows_all_addresses_of_a_name() {
    let Some(names) = Names::new(&[("feed.test", &[FIRST])]) else { return };
    let port = port();
    let publishers = [FIRST, SECOND].map(|address| bound(zmq::XPUB, address, port));
    let endpoint = format!("dns+tcp://feed.test:{port}");
    let (mut process, _directory) = names.run(&["subscribe", "--connect", &endpoint]);
    process.wait_for_line(&["waiting for all messages from", &endpoint]);
    let is_printed = |text: &str| process.stdout().lines().any(|line| line.ends_with(text));
    assert_eq!(publishers[0].recv_bytes(0).unwrap(), b"\x01");
    publishers[0].send("from the first", 0).unwrap();
    wait_for("the message", || is_printed("from the first").then_some(()));
    names.set(&[("feed.test", &[SECOND])]);
    assert_eq!(publishers[1].recv_bytes(0).unwrap(), b"\x01");
    for (publisher, text) in publishers.iter().zip(["the last of the first", "the first of the second"]) {
        publisher.send(text, 0).unwrap();
        wait_for(text, || is_printed(text).then_some(()));
    }
    process.wait_for_line(&["left tcp://", FIRST, "an address that its name has no more"]);
    assert_eq!(publishers[0].recv_bytes(0).unwrap(), b"\x00");
    names.set(&[]);
    process.wait_for_line(&["connecting to", &endpoint, "is not known", "its last addresses stay in use"]);
    publishers[1].send("all the same", 0).unwrap();
    wait_for("the message", || is_printed("all the same").then_some(()));
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
}

#[test]
fn requests_go_to_all_addresses_of_a_name() {
    let Some(names) = Names::new(&[("hosts.test", &[FIRST, SECOND, THIRD])]) else { return };
    let port = port();
    let frontends = [FIRST, SECOND, THIRD].map(|address| bound(zmq::ROUTER, address, port));
    let endpoint = format!("dns+tcp://hosts.test:{port}");
    let arguments = ["request", "--clients=1", "--requests=12", "--timeout=500ms", "--connect", &endpoint];
    let (mut process, _directory) = names.run(&arguments);
    let mut asked = [0; 3];
    wait_up_to(PATIENCE, "all requests", || {
        for (frontend, asked) in frontends.iter().zip(&mut asked) {
            while frontend.poll(zmq::POLLIN, 0).unwrap() > 0 {
                let request = frontend.recv_multipart(0).unwrap();
                frontend.send_multipart(request, 0).unwrap();
                *asked += 1;
            }
        }
        (asked.iter().sum::<u32>() == 12).then_some(())
    });
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    assert!(asked.iter().all(|count| *count > 0), "{asked:?}");
    assert!(process.stdout().contains("sent=12 replies=12 none=0"), "{}", process.stdout());
}

fn pool(address: &str, port: u16) -> Host {
    let config =
        format!("[workers.score]\nbind = ['tcp://{address}:{port}']\n[routes.score]\nthrough = ['workers.score']");
    Setup::new().committed("downcase").config(&config).start()
}

fn workers(host: &Host) -> usize {
    host.admin("/workers").json()[0]["workers"].as_array().map_or(0, Vec::len)
}

#[test]
fn there_is_a_worker_at_each_address_of_a_name() {
    let Some(names) = Names::new(&[("hosts.test", &[FIRST, SECOND])]) else { return };
    let port = port();
    let hosts = [FIRST, SECOND, THIRD].map(|address| pool(address, port));
    let endpoint = format!("dns+tcp://hosts.test:{port}");
    let (mut process, _directory) =
        names.run(&["worker", "--connect", &endpoint, "--service=score", "--heartbeat=1s", "--", "tr", "a-z", "A-Z"]);
    let wait_for_workers = |counts: [usize; 3]| {
        wait_up_to(PATIENCE, &format!("{counts:?} workers"), || (hosts.iter().map(workers).eq(counts)).then_some(()));
    };
    let is_answered = |host: &Host| {
        let answer = Client::new(host).request("POST", "/score/", Some(b"hello")).unwrap();
        assert_eq!((answer.status, answer.text()), (200, "HELLO"));
    };
    wait_for_workers([1, 1, 0]);
    hosts[..2].iter().for_each(is_answered);
    names.set(&[("hosts.test", &[SECOND, THIRD])]);
    wait_for_workers([0, 1, 1]);
    process.wait_for_line(&["leaving tcp://", FIRST, "an address that its name has no more"]);
    hosts[1..].iter().for_each(is_answered);
    names.set(&[]);
    process.wait_for_line(&["connecting to", &endpoint, "is not known", "its last addresses stay in use"]);
    is_answered(&hosts[1]);
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0), "{}", process.stderr());
    assert!(process.stderr().contains("answered=5 failed=0 late=0 malformed=0"), "{}", process.stderr());
    wait_for_workers([0, 0, 0]);
    for host in hosts {
        assert_eq!(host.stop(), 0);
    }
}
