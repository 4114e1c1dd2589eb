//! `/metrics`: both text formats are valid, and the values are those of the ledger and of the plugins' status.

mod exposition;

use crate::fixtures;
use crate::harness::{Answer, Client, Host, Setup, bytes, wait_for};
use exposition::{Exposition, Form};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

const PAGE_BYTES: f64 = 65_536.0;

fn scrape(host: &Host, accept: &str) -> Answer {
    let client = Client::at(host.surface("admin"));
    let answer = client.request_with("GET", "/metrics", &[("accept", accept)], None).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

#[track_caller]
fn metrics(host: &Host) -> Exposition {
    Exposition::read(scrape(host, "text/plain").text(), Form::Prometheus)
}

/// A plugin for each of some ways in which a call ends.
fn host() -> Host {
    let setup = Setup::new().committed("downcase").committed("echo");
    let setup = setup.plugin("trap", &fixtures::trapping()).plugin("reject", &fixtures::erring(false, "no"));
    let host = setup.config("[rollback]\nfailures = 0").start();
    for (path, status) in [
        ("/downcase/?param=A", 200),
        ("/downcase/?param=B", 200),
        ("/downcase/", 400),
        ("/trap/?param=A", 502),
        ("/reject/?param=A", 422),
    ] {
        assert_eq!(host.get(path).status, status, "{path}");
    }
    host
}

#[test]
fn both_forms_are_well_formed_and_tell_the_same() {
    let host = host();
    // These calls come first, because an answer of the admin surface and a message without a subscriber each begin a
    // series of their own.
    wait_for("the messages", || (host.ledger()["hops"]["publish"]["in_flight"] == 0).then_some(()));
    let (plain, open) = (scrape(&host, "*/*"), scrape(&host, "application/openmetrics-text; version=1.0.0"));
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let (plain, open) =
        (Exposition::read(plain.text(), Form::Prometheus), Exposition::read(open.text(), Form::OpenMetrics));
    assert!(plain.samples.keys().all(|sample| sample.starts_with("tidegate_")), "{:#?}", plain.samples);
    assert!(plain.samples.keys().eq(open.samples.keys()));
    // Process metrics go on changing, and the scrape itself is counted as an answer.
    let changes = |sample: &str| sample.starts_with("tidegate_process_") || sample.starts_with("tidegate_http_");
    for (sample, value) in plain.samples.iter().filter(|(sample, _)| !changes(sample)) {
        assert_eq!(*value, open.value(sample), "{sample}");
    }
    for (family, kind) in &open.kinds {
        let (name, kind) = match &**kind {
            "counter" => (format!("{family}_total"), "counter"),
            "info" => (format!("{family}_info"), "gauge"),
            kind => (family.clone(), kind),
        };
        assert_eq!(plain.kinds[&name], kind, "{family}");
    }
    assert_eq!(plain.kinds.len(), open.kinds.len());
    assert_eq!(host.admin_request("HEAD", "/metrics", None).status, 200);
    assert_eq!(host.stop(), 0);
}

#[test]
fn they_agree_with_the_ledger() {
    let host = host();
    let (metrics, ledger) = (metrics(&host), host.ledger());
    for (hop, figures) in ledger["hops"].as_object().unwrap() {
        let number = |key: &str| figures[key].as_f64().unwrap();
        assert_eq!(metrics.value(&format!("tidegate_hop_in_total{{hop=\"{hop}\"}}")), number("in"));
        assert_eq!(metrics.value(&format!("tidegate_hop_out_total{{hop=\"{hop}\"}}")), number("out"));
        assert_eq!(metrics.value(&format!("tidegate_hop_in_flight{{hop=\"{hop}\"}}")), number("in_flight"));
        for (reason, count) in figures["dropped"].as_object().unwrap() {
            let sample = format!("tidegate_hop_dropped_total{{hop=\"{hop}\",reason=\"{reason}\"}}");
            assert_eq!(metrics.value(&sample), count.as_f64().unwrap());
        }
    }
    assert_eq!(ledger["hops"]["transform"]["dropped"]["trapped"], 1);
    for (plugin, calls, kind) in [("downcase", 2.0, None), ("trap", 1.0, Some("trapped")), ("echo", 0.0, None)] {
        assert_eq!(metrics.value(&format!("tidegate_plugin_calls_total{{plugin=\"{plugin}\"}}")), calls);
        assert_eq!(metrics.value(&format!("tidegate_plugin_calls_in_flight{{plugin=\"{plugin}\"}}")), 0.0);
        let failures = format!("tidegate_plugin_call_failures_total{{plugin=\"{plugin}\",");
        let failures: Vec<_> = metrics.samples.iter().filter(|(sample, _)| sample.starts_with(&failures)).collect();
        let expected =
            kind.map(|kind| format!("tidegate_plugin_call_failures_total{{plugin=\"{plugin}\",kind=\"{kind}\"}}"));
        assert_eq!(failures, expected.iter().map(|sample| (sample, &1.0)).collect::<Vec<_>>());
    }
    assert_eq!(host.stop(), 0);
}

#[test]
fn latencies_are_of_the_calls_that_were_let_in() {
    let config = "[plugins.wait.limits]\ncall_deadline_ms = 300\ncalls_max = 1";
    let host = Setup::new().committed("downcase").plugin("wait", &fixtures::waiting()).config(config).start();
    for _ in 0..3 {
        assert_eq!(host.get("/downcase/?param=A").status, 200);
    }
    let client = Client::new(&host);
    let call = std::thread::spawn(move || client.request("GET", "/wait/?param=x", None).unwrap().status);
    let in_flight = "tidegate_plugin_calls_in_flight{plugin=\"wait\"}";
    wait_for("the call", || (metrics(&host).value(in_flight) == 1.0).then_some(()));
    assert_eq!((host.get("/wait/?param=x").status, call.join().unwrap()), (503, 504));

    let metrics = metrics(&host);
    let duration =
        |part: &str, labels: &str| metrics.value(&format!("tidegate_plugin_call_duration_seconds_{part}{{{labels}}}"));
    assert_eq!(duration("count", "plugin=\"downcase\""), 3.0);
    assert!(duration("sum", "plugin=\"downcase\"") > 0.0);
    assert_eq!(duration("bucket", "le=\"10.0\",plugin=\"downcase\""), 3.0);
    assert!(
        metrics.samples.contains_key("tidegate_plugin_call_duration_seconds_bucket{le=\"0.00001\",plugin=\"wait\"}"),
        "{:#?}",
        metrics.samples
    );
    assert_eq!(metrics.value("tidegate_plugin_calls_total{plugin=\"wait\"}"), 2.0);
    assert_eq!(duration("count", "plugin=\"wait\""), 1.0);
    assert!(duration("sum", "plugin=\"wait\"") >= 0.3);
    assert_eq!(duration("bucket", "le=\"0.25\",plugin=\"wait\""), 0.0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn memory_and_what_serves_are_told_by_generation() {
    let host = Setup::new().plugin("x", &fixtures::searching()).plugin("greedy", &fixtures::growing()).start();
    let memory =
        |plugin: &str| metrics(&host).value(&format!("tidegate_plugin_memory_high_water_bytes{{plugin=\"{plugin}\"}}"));
    assert_eq!(memory("x"), 0.0, "nothing has been called");
    assert_eq!(host.get("/x/?param=A").status, 200);
    assert_eq!(memory("x"), 48.0 * PAGE_BYTES, "32 pages to begin with, and 16 more");
    assert_eq!(host.status("x")["memory_bytes_high_water"], 48 * 65_536);
    assert_eq!(host.get("/greedy/?param=A").status, 502);
    assert_eq!(memory("greedy"), 1_024.0 * PAGE_BYTES, "all that memory_bytes_max allows");

    assert_eq!(host.admin_request("PUT", "/plugins/x", Some(&bytes("upcase"))).status, 200);
    assert_eq!(host.get("/x/?param=A").status, 200);
    let of_upcase = memory("x");
    assert!((PAGE_BYTES..48.0 * PAGE_BYTES).contains(&of_upcase), "{of_upcase}");

    let digest = host.status("x")["digest"].as_str().unwrap().to_owned();
    let info = format!(
        "tidegate_plugin_generation_info{{plugin=\"x\",generation=\"2\",digest=\"{digest}\",contract=\"0.2.0\"}}"
    );
    let metrics = metrics(&host);
    assert_eq!(metrics.value(&info), 1.0);
    let with_digest: Vec<_> = metrics.samples.keys().filter(|sample| sample.contains(&digest)).collect();
    assert_eq!(with_digest, [&info], "a digest anywhere else would make new series at every swap");
    assert_eq!(host.stop(), 0);
}

#[test]
fn states_rollbacks_pauses_denials_and_lost_lines_are_told() {
    let host = Setup::new()
        .plugin("swapped", &bytes("downcase"))
        .plugin("failing", &fixtures::trapping())
        .plugin("chatty", &fixtures::logging(10))
        .config("[rollback]\nfailures = 2\npause_ms = 60000\n[plugins.chatty.limits]\nlog_lines_per_second_max = 3")
        .start();
    assert_eq!(host.admin_request("PUT", "/plugins/swapped", Some(&bytes("upcase"))).status, 200);
    assert_eq!(host.admin_request("POST", "/plugins/swapped/rollback", None).status, 200);
    for _ in 0..2 {
        assert_eq!(host.get("/failing/?param=A").status, 502);
    }
    assert_eq!(host.get("/failing/?param=A").status, 503);
    assert_eq!(host.get("/chatty/?param=A").status, 200);

    let metrics = metrics(&host);
    let states = |plugin: &str| {
        ["empty", "serving", "rolled-back", "paused"]
            .into_iter()
            .filter(|state| {
                metrics.value(&format!("tidegate_plugin_state{{plugin=\"{plugin}\",state=\"{state}\"}}")) == 1.0
            })
            .collect::<Vec<_>>()
    };
    assert_eq!((states("swapped"), states("failing")), (vec!["serving"], vec!["paused"]));
    for (name, plugin, expected) in [
        ("rollbacks_total", "swapped", 1.0),
        ("rollbacks_total", "failing", 0.0),
        ("pauses_total", "failing", 1.0),
        ("calls_total", "failing", 3.0),
    ] {
        assert_eq!(
            metrics.value(&format!("tidegate_plugin_{name}{{plugin=\"{plugin}\"}}")),
            expected,
            "{name} {plugin}"
        );
    }
    let kinds: BTreeSet<_> = ["name-lookups", "sockets", "stdin"].into_iter().collect();
    for kind in kinds {
        assert_eq!(metrics.value(&format!("tidegate_plugin_denied_total{{plugin=\"chatty\",kind=\"{kind}\"}}")), 0.0);
    }
    let dropped = metrics.value("tidegate_plugin_log_lines_dropped_total{plugin=\"chatty\"}");
    assert_eq!(dropped, host.status("chatty")["log_lines_dropped"].as_f64().unwrap());
    assert!(dropped > 0.0);
    assert_eq!(metrics.value("tidegate_log_lines_dropped_total{reason=\"queue-full\"}"), 0.0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_process_is_told_of() {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let before = seconds(SystemTime::now());
    let host = Setup::new().committed("downcase").start();
    let first = metrics(&host);
    assert_eq!(first.value(&format!("tidegate_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1.0);
    let start = first.value("tidegate_process_start_time_seconds");
    // The system counts processor time in hundredths of a second.
    assert!(start >= before - 0.1 && start <= seconds(SystemTime::now()), "{before} {start}");
    assert!(first.value("tidegate_process_resident_memory_bytes") > 1_000_000.0);
    assert!(first.value("tidegate_process_cpu_seconds_total") > 0.0);
    let address = host.surface("http").trim_start_matches("http://");
    let connections: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let open = |metrics: &Exposition| metrics.value("tidegate_process_open_descriptors");
    wait_for("the connections", || (open(&metrics(&host)) >= open(&first) + 20.0).then_some(()));
    drop(connections);
    wait_for("their end", || (open(&metrics(&host)) < open(&first) + 20.0).then_some(()));
    assert_eq!(metrics(&host).value("tidegate_process_start_time_seconds"), start);
    assert_eq!(host.stop(), 0);
}

#[test]
fn shadows_are_told_by_what_their_calls_came_to_and_captures_by_their_number() {
    let host = Setup::new().committed("downcase").committed("echo").start();
    assert_eq!(metrics(&host).value("tidegate_captures_running"), 0.0);
    let shadow = "/plugins/downcase/shadow";
    let query = format!("{shadow}?min_calls=3&max_diff=3");
    assert_eq!(host.admin_request("PUT", &query, Some(&bytes("upcase"))).status, 201);
    assert_eq!(host.admin_request("POST", "/capture", None).status, 201);
    for _ in 0..3 {
        assert_eq!(host.get("/downcase/?param=A").status, 200);
    }
    let calls = |outcome: &str| format!("tidegate_shadow_calls_total{{plugin=\"downcase\",outcome=\"{outcome}\"}}");
    let told = wait_for("the calls", || Some(metrics(&host)).filter(|told| told.value(&calls("different")) == 3.0));
    for outcome in ["same", "filtered-now", "no-longer-filtered", "new-failure", "failure-gone", "failure-differs"] {
        assert_eq!(told.value(&calls(outcome)), 0.0, "{outcome}");
    }
    assert_eq!(told.value(&calls("undecided")), 0.0);
    for (name, expected) in [("running", 1.0), ("may_serve", 1.0)] {
        assert_eq!(told.value(&format!("tidegate_shadow_{name}{{plugin=\"downcase\"}}")), expected, "{name}");
    }
    assert!(!told.samples.keys().any(|sample| sample.starts_with("tidegate_shadow") && sample.contains("echo")));
    assert_eq!(told.value("tidegate_captures_running"), 1.0);
    assert_eq!(host.admin_request("DELETE", shadow, None).status, 200);
    assert_eq!(host.admin_request("DELETE", "/capture/1", None).status, 200);
    let ended = metrics(&host);
    for (name, expected) in [("running", 0.0), ("may_serve", 0.0)] {
        assert_eq!(ended.value(&format!("tidegate_shadow_{name}{{plugin=\"downcase\"}}")), expected, "{name}");
    }
    assert_eq!((ended.value(&calls("different")), ended.value("tidegate_captures_running")), (3.0, 0.0));
    assert_eq!(host.stop(), 0);
}
