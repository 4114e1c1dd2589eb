//! The header fields that a handler sees: those that a client may set, and those that the host sets.

use super::setup;
use crate::harness::Host;
use crate::raw_http::Raw;

/// The request as the handler saw it, as lines.
fn seen(host: &Host, fields: &str) -> (String, Vec<String>) {
    let mut raw = Raw::connect(host, "http");
    let from = raw.0.local_addr().unwrap().to_string();
    raw.send(format!("GET /h/echo/a?b=c HTTP/1.1\r\nhost: example.org\r\n{fields}\r\n"));
    let answer = raw.whole_answer().unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    (from, answer.body.lines().map(str::to_owned).collect())
}

const CLAIMS: [&str; 26] = [
    "spin-client-addr",
    "Spin-Path-Info",
    "spin-full-url",
    "spin-path-match-user",
    "spin_client_addr",
    "tidegate-request",
    "tidegate-anything",
    "forwarded",
    "x-forwarded-for",
    "X_Forwarded_For",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-forwarded-prefix",
    "x-forwarded-port",
    "x-forwarded-client-cert",
    "x-real-ip",
    "X-Real_IP",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "x-envoy-external-address",
    "x-original-url",
    "x-amzn-oidc-identity",
    "ssl-client-verify",
];

#[test]
fn what_only_a_host_or_a_gateway_knows_no_client_says() {
    let host = setup().start();
    let fields: String = CLAIMS.iter().map(|name| format!("{name}: forged\r\n")).collect();
    let (from, seen) = seen(&host, &format!("{fields}x-own: kept\r\n"));
    assert!(!seen.iter().any(|line| line.contains("forged")), "{seen:#?}");
    let address = from.rsplit_once(':').unwrap().0;
    for line in [
        "x-own: kept",
        &format!("spin-client-addr: {from}"),
        "spin-full-url: http://example.org/h/echo/a?b=c",
        "spin-path-info: /echo/a",
        "spin-component-route: /h",
        "spin-matched-route: /h/...",
        "spin-raw-component-route: /h/...",
        "spin-base-path: /",
        &format!("x-forwarded-for: {address}"),
        "x-forwarded-host: example.org",
        "x-forwarded-proto: http",
        "x-forwarded-prefix: /h",
    ] {
        assert_eq!(seen.iter().filter(|found| *found == line).count(), 1, "{line} is not once in\n{seen:#?}");
    }
}

#[test]
fn a_gateway_that_is_trusted_is_believed() {
    for (gateways, trusted) in [("'127.0.0.0/8'", true), ("'::1', '127.0.0.1'", true), ("'192.0.2.0/24'", false)] {
        let host = setup().config(&format!("[http]\ntrusted_gateways = [{gateways}]")).start();
        let fields = "x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: https\r\nx-real-ip: 192.0.2.7\r\n\
                      x-forwarded-prefix: /forged\r\nspin-client-addr: forged\r\nX_Forwarded_For: forged\r\n\
                      X-Real_IP: forged\r\n";
        let (from, seen) = seen(&host, fields);
        let believed = ["x-forwarded-for: 192.0.2.7, 127.0.0.1", "x-forwarded-proto: https", "x-real-ip: 192.0.2.7"];
        for line in believed {
            assert_eq!(seen.iter().any(|found| found == line), trusted, "{gateways}: {line}\n{seen:#?}");
        }
        assert!(!seen.iter().any(|line| line.contains("forged")), "{seen:#?}");
        assert!(seen.contains(&format!("spin-client-addr: {from}")), "{seen:#?}");
    }
}

#[test]
fn what_is_about_the_connection_ends_with_it() {
    let host = setup().start();
    let fields = "Connection: keep-alive, X-Hop, x-forwarded-for\r\nconnection: x-other\r\nx-hop: 1\r\nX-OTHER: 1\r\n\
                  keep-alive: 1\r\nte: trailers\r\ntrailer: x\r\nproxy-connection: 1\r\nproxy-authorization: 1\r\nx-own: 1\r\n";
    let (from, seen) = seen(&host, fields);
    let names: Vec<_> = seen.iter().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
    for gone in
        ["connection", "x-hop", "x-other", "keep-alive", "te", "trailer", "proxy-connection", "proxy-authorization"]
    {
        assert!(!names.contains(&gone), "{gone} is in\n{seen:#?}");
    }
    // A client cannot remove a field that the host sets.
    let address = from.rsplit_once(':').unwrap().0;
    assert!(names.contains(&"x-own") && seen.contains(&format!("x-forwarded-for: {address}")), "{seen:#?}");
}
