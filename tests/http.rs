//! The public HTTP surface: how requests become messages, how they are answered, and every status.

use crate::fixtures;
use crate::harness::{Host, PATIENCE, Setup};
use std::io::{Read, Write};
use std::net::TcpStream;

fn host() -> Host {
    Setup::new().committed("downcase").committed("upcase").start()
}

#[test]
fn a_parameter_is_transformed() {
    let host = host();
    for path in
        ["/downcase/?param=HeLLo", "/downcase/?Param=HeLLo", "/downcase?param=HeLLo", "/downcase/?param=He%4C%4co&x=1"]
    {
        let answer = host.get(path);
        assert_eq!((answer.status, answer.text()), (200, "lower case of HeLLo is hello"), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("tidegate-plugin"), "downcase");
        assert_eq!(answer.header("tidegate-generation"), "1");
        assert_eq!(answer.header("tidegate-digest").len(), 64);
    }
    assert_eq!(host.get("/upcase/?param=HeLLo").text(), "upper case of HeLLo is HELLO");
    assert_eq!(host.get("/downcase/?param=").text(), "lower case of  is ");
    assert_eq!(host.get("/downcase/?param=A+B%2BC").text(), "lower case of A B+C is a b+c");
    assert_eq!(host.get("/downcase/?param=%CE%9F%CE%94%CE%9F%CE%A3").text(), "lower case of ΟΔΟΣ is οδος");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_body_is_transformed() {
    let host = host();
    assert_eq!(host.post("/downcase/", b"HeLLo").text(), "lower case of HeLLo is hello");
    assert_eq!(host.post("/downcase/", b"").text(), "lower case of  is ");
    assert_eq!(host.post("/downcase/?param=X", b"Body").text(), "lower case of Body is body");
    let rejected = host.post("/downcase/", b"\xff\xfe");
    assert_eq!(rejected.status, 422);
    let long = "Ä".repeat(400_000);
    assert_eq!(
        host.post("/downcase/", long.as_bytes()).text(),
        format!("lower case of {long} is {}", long.to_lowercase())
    );
    assert_eq!(host.stop(), 0);
}

/// Asserts the status and the fields of the problem document; every error has the same form.
#[track_caller]
fn assert_problem(host: &Host, method: &str, path: &str, body: Option<&[u8]>, status: u16, detail: &str) {
    let answer = host.request(method, path, body);
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("retry-after").is_empty(), status != 503, "{method} {path}");
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{method} {path}: {problem}");
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let host = host();
    for (path, detail) in [
        ("/downcase/", "no param"),
        ("/downcase/?other=x", "no param"),
        ("/downcase/?PARAM=x", "no param"),
        ("/downcase/?param=a&param=b", "more than one param"),
        ("/downcase/?param=a&Param=b", "more than one param"),
        ("/downcase/?param=%4", "hexadecimal"),
        ("/downcase/?param=a&x=%zz", "hexadecimal"),
        ("/downcase/?param=%FF", "not UTF-8"),
    ] {
        assert_problem(&host, "GET", path, None, 400, detail);
    }
    assert_problem(&host, "GET", "/nobody/?param=x", None, 404, "no plugin serves this path");
    assert_problem(&host, "GET", "/downcase/more/?param=x", None, 404, "no plugin serves this path");
    assert_problem(&host, "DELETE", "/nobody/", None, 404, "no plugin serves this path");
    assert_problem(&host, "DELETE", "/downcase/?param=x", None, 405, "GET, HEAD, POST");
    assert_problem(&host, "POST", "/", Some(b""), 405, "GET, HEAD");
    assert_eq!(host.request("PUT", "/downcase/", Some(b"x")).header("allow"), "GET, HEAD, POST");
    assert_problem(&host, "POST", "/downcase/", Some(&vec![b'x'; (1 << 20) + 1]), 413, "body_bytes_max 1048576");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_body_without_a_length_is_bounded_too() {
    let host = host();
    let mut stream = TcpStream::connect(host.surface("http").trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"POST /downcase/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x10000], b"\r\n"].concat();
    // The host may answer and close the connection before it has read everything.
    for _ in 0..17 {
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
    assert_eq!(host.get("/downcase/?param=A").status, 200);
}

#[test]
fn the_index_lists_the_routes() {
    let host = host();
    let answer = host.get("/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(answer.text(), format!("Tidegate {version}\n/downcase/?param=TEXT\n/upcase/?param=TEXT\n"));
    assert_eq!(host.request("HEAD", "/", None).status, 200);
}

#[test]
fn a_plugin_decides_type_and_filter() {
    let host = Setup::new()
        .plugin("json", &fixtures::answering("", Some("application/json")))
        .plugin("broken", &fixtures::answering("", Some(r"a\0ab")))
        .plugin("filter", &fixtures::filtering())
        .start();
    let answer = host.get("/json/?param=1");
    assert_eq!((answer.header("content-type"), answer.text()), ("application/json", "1"));
    assert_problem(&host, "GET", "/broken/?param=1", None, 502, "content-type");
    let filtered = host.get("/filter/?param=1");
    assert_eq!((filtered.status, filtered.text(), filtered.header("content-type")), (204, "", ""));
    assert_eq!(filtered.header("tidegate-plugin"), "filter");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_plugins_fault_is_told_to_the_log_alone() {
    let host = Setup::new()
        .plugin("reject", &fixtures::erring(false, "five digits please"))
        .plugin("fail", &fixtures::erring(true, "password is hunter2"))
        .start();
    assert_problem(&host, "GET", "/reject/?param=1", None, 422, "five digits please");
    let failed = host.get("/fail/?param=1");
    assert_eq!((failed.status, failed.header("tidegate-plugin")), (502, "fail"));
    assert!(!failed.text().contains("hunter2"), "{}", failed.text());
    host.process.wait_for_log("hunter2");
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_policy_is_no_route() {
    let host = Setup::new().committed("echo").start();
    assert_problem(&host, "GET", "/echo/?param=x", None, 404, "no plugin serves this path");
    assert_eq!(host.get("/").text().lines().count(), 1);
}

#[test]
fn the_admin_surface_says_whether_the_host_lives_and_is_ready() {
    let host = host();
    assert_eq!((host.admin("/livez").status, host.admin("/readyz").status, host.admin("/x").status), (200, 200, 404));
}
