//! Content codings of bodies: what a route takes, what it gives, and what does not get past its bounds.

use crate::client::Answer;
use crate::fixtures;
use crate::harness::{Client, Host, Setup};
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use std::io::Write;

fn host() -> Host {
    Setup::new()
        .plugin("echo", &fixtures::echoing(4 << 20))
        .plugin("plain", &fixtures::echoing(4 << 20))
        .plugin("png", &fixtures::answering("", Some("image/png")))
        .config("[routes.echo]\ndecompress = true\ncompress = true\n[routes.png]\ncompress = true")
        .start()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(Vec::new());
    decoder.write_all(bytes).unwrap();
    decoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn post(host: &Host, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    Client::new(host).request_with("POST", path, headers, Some(body)).unwrap()
}

#[test]
fn a_coded_body_is_taken_where_the_route_says_so() {
    let host = host();
    for (coding, body) in [("gzip", gzip(b"HeLLo")), ("X-GZIP", gzip(b"HeLLo")), ("identity, zstd", zstd(b"HeLLo"))] {
        let answer = post(&host, "/echo/", &[("content-encoding", coding)], &body);
        assert_eq!((answer.status, answer.text()), (200, "HeLLo"), "{coding}");
        let raw = post(&host, "/plain/", &[("content-encoding", coding)], &body);
        assert_eq!((raw.status, &raw.body), (200, &body), "a route that does not say so passes it on");
    }
    let unknown = post(&host, "/echo/", &[("content-encoding", "br")], b"x");
    assert_eq!((unknown.status, unknown.header("accept-encoding")), (415, "gzip, zstd"));
    assert!(unknown.text().contains("`br`"), "{}", unknown.text());
    assert_eq!(post(&host, "/echo/", &[("content-encoding", "gzip, zstd")], b"x").status, 415, "two in a row");
    let whole = gzip(b"HeLLo");
    for broken in [&b"plain text"[..], &b""[..], &whole[..whole.len() - 1], &[&whole[..], &b"x"[..]].concat()[..]] {
        let answer = post(&host, "/echo/", &[("content-encoding", "gzip")], broken);
        assert_eq!(answer.status, 400, "{broken:?}");
        assert!(answer.text().contains("no whole gzip"), "{}", answer.text());
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn a_bomb_is_refused_at_the_bound_of_any_body() {
    let host = host();
    let zeros = vec![0; 256 << 20];
    for (coding, bomb) in [("gzip", gzip(&zeros)), ("zstd", zstd(&zeros))] {
        assert!(bomb.len() < 1 << 20, "{}", bomb.len());
        let answer = post(&host, "/echo/", &[("content-encoding", coding)], &bomb);
        assert_eq!(answer.status, 413, "{coding}: {}", answer.text());
        assert!(answer.text().contains("body_bytes_max 1048576"), "{}", answer.text());
    }
    // As much as may be is taken.
    let full = vec![7; 1 << 20];
    assert_eq!(post(&host, "/echo/", &[("content-encoding", "zstd")], &zstd(&full)).body, full);
    assert_eq!(host.stop(), 0);
}

#[test]
fn an_answer_is_coded_as_its_client_prefers() {
    let host = host();
    let text = "all work and no play ".repeat(2_000).into_bytes();
    let ask = |accept: &str, path, body: &[u8]| post(&host, path, &[("accept-encoding", accept)], body);
    let zipped = ask("gzip, br", "/echo/", &text);
    assert_eq!((zipped.header("content-encoding"), gunzip(&zipped.body)), ("gzip", text.clone()));
    assert_eq!(zipped.header("content-length"), zipped.body.len().to_string());
    assert_eq!(zipped.header("vary"), "accept-encoding");
    let zstd = ask("gzip;q=0.5, zstd", "/echo/", &text);
    assert_eq!((zstd.header("content-encoding"), zstd::decode_all(&zstd.body[..]).unwrap()), ("zstd", text.clone()));
    assert!(zstd.body.len() * 10 < text.len());
    for (accept, path, body, why) in [
        ("identity", "/echo/", &text[..], "asked for as it is"),
        ("gzip;q=0, zstd;q=0", "/echo/", &text[..], "forbidden"),
        ("gzip", "/echo/", &b"short"[..], "small"),
        ("gzip", "/plain/", &text[..], "the route does not say so"),
        ("gzip", "/png/", &text[..], "compressed by itself"),
    ] {
        let answer = ask(accept, path, body);
        assert_eq!((answer.status, answer.header("content-encoding"), &answer.body[..]), (200, "", body), "{why}");
        let vary = if path == "/plain/" { "" } else { "accept-encoding" };
        assert_eq!(answer.header("vary"), vary, "{why}");
    }
    let small = ask("identity;q=0, gzip", "/echo/", b"short");
    assert_eq!((small.header("content-encoding"), gunzip(&small.body)), ("gzip", b"short".to_vec()));
    assert_eq!(host.stop(), 0);
}
