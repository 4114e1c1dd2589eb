//! Sockets at `ipc://` paths have the configured permissions from the moment that they exist.

use crate::harness::{EMPTY_REQUEST, PATIENCE, Process, Setup};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn paths(setup: &Setup) -> [PathBuf; 2] {
    ["publish", "frontend"].map(|name| setup.path().join(name))
}

fn at(setup: Setup) -> Setup {
    let [publish, frontend] = paths(&setup).map(|path| path.display().to_string());
    setup.committed("echo").with(&[&format!("--publish=ipc://{publish}"), &format!("--frontend=ipc://{frontend}")])
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.mode() & 0o777)
}

fn assert_echo(endpoint: &str) {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    socket.connect(endpoint).unwrap();
    socket.send_multipart(EMPTY_REQUEST, 0).unwrap();
    assert_eq!(socket.recv_multipart(0).unwrap(), EMPTY_REQUEST);
}

/// Exit code and stderr of a host that does not start.
fn refused(setup: &Setup) -> (Option<i32>, String) {
    let mut process = Process::start(&mut setup.command());
    (process.wait().code(), process.stderr())
}

#[test]
fn the_mode_holds_at_every_moment() {
    let own_group = fs::metadata("/proc/self").unwrap().gid();
    let wider = format!("[messaging]\nipc_mode = '0770'\nipc_group = '{own_group}'");
    for (config, allowed) in [("", [0o700, 0o700]), (wider.as_str(), [0o700, 0o770])] {
        let setup = at(Setup::new()).config(config);
        let (paths, over) = (paths(&setup), AtomicBool::new(false));
        let (host, seen) = thread::scope(|scope| {
            let seen = scope.spawn(|| {
                let mut seen = BTreeSet::new();
                while !over.load(Ordering::Relaxed) {
                    seen.extend(paths.iter().filter_map(|path| mode(path)));
                }
                seen
            });
            let host = setup.start();
            over.store(true, Ordering::Relaxed);
            (host, seen.join().unwrap())
        });
        assert!(
            seen.iter().all(|mode| allowed.contains(mode)),
            "{:?}",
            seen.iter().map(|mode| format!("{mode:o}")).collect::<Vec<_>>()
        );
        for path in &paths {
            assert_eq!((mode(path), fs::metadata(path).unwrap().gid()), (Some(allowed[1]), own_group));
        }
        assert_echo(host.surface("frontend"));
        assert_eq!(host.stop(), 0);
        assert!(paths.iter().all(|path| !path.exists()), "they go with the host");
    }
}

#[test]
fn a_socket_that_somebody_listens_at_is_not_taken_and_one_that_was_left_is() {
    let setup = at(Setup::new());
    let second = at(Setup::new()).with(&[&format!("--frontend=ipc://{}", paths(&setup)[1].display())]);
    let mut first = setup.start();
    let (code, stderr) = refused(&second);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("binding ROUTER to ipc://") && stderr.contains("address in use"), "{stderr}");
    assert_echo(first.surface("frontend"));
    first.process.signal("KILL");
    first.process.wait();
    let second = second.start();
    assert_echo(second.surface("frontend"));
    assert_eq!(second.stop(), 0);
}

#[test]
fn what_cannot_be_is_said_with_its_remedy() {
    let long = format!("--frontend=ipc:///tmp/{}", "x".repeat(103));
    let (code, stderr) = refused(&Setup::new().committed("echo").with(&[&long]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("its path has 108 bytes, and the path of a socket may have 107"), "{stderr}");

    let (code, stderr) = refused(&at(Setup::new()).config("[messaging]\nipc_mode = 700"));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("`700` is no mode of a file"), "{stderr}");

    let (code, stderr) = refused(&at(Setup::new()).config("[messaging]\nipc_group = 'no-such-group'"));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("messaging.ipc_group: no group `no-such-group`"), "{stderr}");
}
