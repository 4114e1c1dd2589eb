//! The bounds on what a processor returns: over any of them the call fails, and nothing of it is sent.

use super::subscriber;
use crate::fixtures;
use crate::harness::Setup;

#[test]
fn messages_are_bounded_in_number_and_bytes_and_have_frames() {
    let config = "[plugins.p.limits]\nmessages_max = 3\noutput_bytes_max = 4096";
    let host =
        Setup::new().plugin("p", &fixtures::processor()).config(config).config("[rollback]\nfailures = 0").start();
    let socket = subscriber(&host);
    assert_eq!(host.post("/p/", b"many:3").text(), "0");
    for (body, detail) in [
        ("many:4", "4 messages are more than messages_max 3"),
        ("empty:1000", "the plugin's output is over output_bytes_max 4096"),
        ("no-frames", "message 1 has no frames"),
        ("big:8192", "the plugin's output is over output_bytes_max 4096"),
        ("trap", "the plugin trapped"),
    ] {
        let answer = host.post("/p/", body.as_bytes());
        assert_eq!(answer.status, 502, "{body}: {}", answer.text());
        assert!(answer.text().contains(detail), "{body}: {}", answer.text());
    }
    assert_eq!(host.post("/p/", b"map:end").text(), "END");
    for published in ["0", "1", "2", "END"] {
        assert_eq!(socket.recv_multipart(0).unwrap(), [published.as_bytes()], "nothing of the calls that failed");
    }
    let failures = &host.status("p")["failures"];
    for reason in ["too-many-messages", "no-frames", "trapped"] {
        assert_eq!(failures[reason], 1, "{failures}");
    }
    assert_eq!(failures["over-output"], 2, "{failures}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_number_of_messages_has_a_default_and_a_range() {
    let host = super::host();
    assert_eq!(host.post("/p/", b"many:1000").status, 200);
    let answer = host.post("/p/", b"many:1001");
    assert!(answer.text().contains("1001 messages are more than messages_max 1000"), "{}", answer.text());
    assert_eq!(host.stop(), 0);
    let refused = Setup::new().plugin("p", &fixtures::processor()).config("[limits]\nmessages_max = 0");
    let output = refused.command().output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains("0 is not between 1 and 1000000"), "{stderr}");
}
