//! Peers whose frames announce too much, or are many and short.

use super::{metric, resident_mib};
use crate::harness::{LONG_PATIENCE, Setup, wait_up_to};
use crate::raw_peer::{RawPeer, command, frame};

#[test]
fn whoever_announces_too_much_again_and_again_fills_no_log() {
    const TIMES: u64 = 150;
    let host = Setup::new().committed("echo").start();
    for (surface, kind) in [("publish", "SUB"), ("frontend", "DEALER")] {
        for _ in 0..TIMES {
            let mut peer = RawPeer::connect(host.surface(surface), kind, b"");
            // The header of a frame of a terabyte.
            peer.write(b"\x02\0\0\x01\0\0\0\0\0").unwrap();
            peer.wait_for_end();
        }
    }
    let total = |socket: &str| metric(&host, &format!("tidegate_socket_peers_cut_off_total{{socket=\"{socket}\"}}"));
    wait_up_to(LONG_PATIENCE, "all of them", || (total("publish") + total("frontend") == 2 * TIMES).then_some(()));
    let lines = host.process.stderr().matches("cut off: it sent a larger message than a peer may send").count();
    assert!((2..100).contains(&lines), "{lines}");
    assert_eq!(host.stop(), 0);
}

/// A queued frame must not keep the whole buffer in memory that it was received in.
#[test]
fn a_queue_of_short_frames_takes_little_more_than_its_bound() {
    const BOUND: usize = 4 << 20;
    let host = Setup::new().committed("echo").config(&format!("[messaging]\npeer_queue_bytes_max = {BOUND}")).start();
    let before = resident_mib(&host);
    let mut peer = RawPeer::connect(host.surface("frontend"), "DEALER", b"");
    // The frames belong to one message without an end. The PING after each makes the host read them one by one.
    let (short, mut most) = ([frame(1, &[b'x'; 34]), command("PING", b"\0\0")].concat(), 0);
    for number in 0.. {
        if peer.write(&short).and_then(|()| peer.receive_command()).is_err() {
            break;
        }
        if number % 1_000 == 0 {
            most = most.max(resident_mib(&host));
        }
    }
    host.process.wait_for_line_up_to(LONG_PATIENCE, &["cut off: it sent a larger message than a peer may send"]);
    let grown = most.saturating_sub(before);
    assert!(grown < 24, "{grown} MiB");
    assert_eq!(host.stop(), 0);
}
