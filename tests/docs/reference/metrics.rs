//! The metrics, as a host tells them.

use super::source::cell;
use crate::fixtures;
use crate::harness::{Setup, bytes, wait_for};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const PREFACE: &str = "
## Metrics

`GET /metrics` on the admin surface: Prometheus' text form, or OpenMetrics where `Accept` asks for it.

| metric | kind | labels | what |
| --- | --- | --- | --- |
";

pub fn section() -> String {
    let exposition = exposition();
    let mut labels = BTreeMap::<&str, BTreeSet<&str>>::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).expect("a value"));
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        let pairs = rest.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')).map_or("", |(pairs, _)| pairs);
        let names = pairs.split("\",").filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
        labels.entry(name).or_default().extend(names.filter(|name| *name != "le"));
    }
    let said = |keyword: &str| -> BTreeMap<&str, &str> {
        exposition.lines().filter_map(|line| line.strip_prefix(keyword)?.split_once(' ')).collect()
    };
    let kinds = said("# TYPE ");
    let mut text = PREFACE.to_owned();
    for (name, help) in said("# HELP ") {
        let labels = labels.remove(name).unwrap_or_default();
        let labels: Vec<_> = labels.into_iter().map(|label| format!("`{label}`")).collect();
        writeln!(text, "| `{name}` | {} | {} | {} |", kinds[name], labels.join(", "), cell(help)).unwrap();
    }
    text
}

/// Of a host to which everything has happened that begins a series.
fn exposition() -> String {
    let setup = Setup::new().committed("downcase").committed("echo").plugin("reject", &fixtures::erring(false, "no"));
    let (keys, secret) = (setup.path().join("keys"), setup.path().join("secret.key"));
    let [server, client, stranger] = [0; 3].map(|_| zmq::CurveKeyPair::new().unwrap());
    let text = |key| zmq::z85_encode(key).unwrap();
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("client.key"), text(&client.public_key)).unwrap();
    std::fs::write(&secret, text(&server.secret_key)).unwrap();
    let (secret, keys) = (secret.display(), keys.display());
    let flags = [format!("--curve-secret-key={secret}"), format!("--curve-authorized-keys={keys}")];
    let names = "[sockets.far]\ntype = 'pub'\nconnect = ['dns+tcp://127.0.0.1:9']\n[routes.far]\nthrough = ['downcase']\nto = ['far']";
    let host = setup.with(&[&flags[0], &flags[1]]).config(names).start();
    let told = |sample: &str| {
        wait_for(sample, || host.admin("/metrics").text().contains(sample).then_some(()));
    };
    assert_eq!((host.get("/downcase/?param=A").status, host.get("/reject/?param=A").status), (200, 422));
    told("reason=\"no-subscriber\"");
    let context = zmq::Context::new();
    let connect = |pair: &zmq::CurveKeyPair| {
        let socket = context.socket(zmq::SUB).unwrap();
        socket.set_linger(0).unwrap();
        socket.set_curve_serverkey(&server.public_key).unwrap();
        socket.set_curve_publickey(&pair.public_key).unwrap();
        socket.set_curve_secretkey(&pair.secret_key).unwrap();
        socket.connect(host.surface("publish")).unwrap();
        socket
    };
    let _sockets = [connect(&client), connect(&stranger)];
    let shadow = host.admin_request("PUT", "/plugins/downcase/shadow", Some(&bytes("upcase")));
    assert_eq!(shadow.status, 201, "{}", shadow.text());
    told("tidegate_curve_denials_total{");
    told("tidegate_socket_handshakes_refused_total{");
    told("tidegate_socket_queue_messages{");
    host.admin("/metrics").text().to_owned()
}
