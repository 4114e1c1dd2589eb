//! Each mistake is refused with its key, its line and a remedy; what looks like one and is none is taken.

use crate::config::{Config, Document};

mod every_address;
mod websockets;
mod workers;

/// What is wrong with a configuration; nothing if nothing is.
fn mistake(text: &str) -> Option<String> {
    let config: Config = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    config.check(&Document::of(text.to_owned())).err()
}

/// Sockets for flows between them; the next line is the seventh.
const SOCKETS: &str = "\
[sockets]
ticks = { type = 'sub', connect = ['tcp://feed.example:5556'] }
jobs = { type = 'pull', bind = ['ipc:///tmp/jobs'] }
peer = { type = 'pair', connect = ['tcp://peer.example:1'] }
archive = { type = 'push', connect = ['tcp://archive.example:2'] }
news = { type = 'pub', bind = ['tcp://127.0.0.1:7000'] }
";

#[track_caller]
fn assert_refused(text: &str, words: &[&str]) {
    let error = mistake(text).unwrap_or_else(|| panic!("this is taken:\n{text}"));
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}\n{text}");
    }
}

#[track_caller]
fn assert_taken(text: &str) {
    assert_eq!(mistake(text), None, "{text}");
}

#[test]
fn a_socket_that_makes_no_sense_is_refused() {
    let tcp = "'tcp://127.0.0.1:1'";
    for (keys, words) in [
        ("type = 'sub'", ["line 1", "[sockets.a]", "neither `bind` nor `connect`"]),
        ("type = 'sub'\nconnect = ['none']", ["line 3", "sockets.a.connect[0]", "leave it out"]),
        ("type = 'sub'\nconnect = ['tcp://h:1', 'tcp://h:1']", ["line 3", "connect[1]", "twice"]),
        ("type = 'sub'\nconnect = ['tcp://*:1']", ["line 3", "connect[0]", "where one binds"]),
        ("type = 'sub'\nconnect = ['tcp://h:*']", ["line 3", "`tcp://h:*`", "such as tcp://127.0.0.1:4444"]),
        ("type = 'sub'\nconnect = ['tcp://0.0.0.0:1']", ["line 3", "connect[0]", "where one binds"]),
        ("type = 'pair'\nbind = ['tcp://*:1', 'tcp://*:2']", ["line 3", "sockets.a.bind", "one peer"]),
        (&format!("type = 'pull'\nbind = [{tcp}]\nsubscribe = ['x']"), ["line 4", "subscribe", "make it a sub socket"]),
        (&format!("type = 'push'\nbind = [{tcp}]\nsequence = 1"), ["line 4", "sequence", "leave it out"]),
        (&format!("type = 'pub'\nbind = [{tcp}]\nsequence = 0"), ["line 4", "sequence", "leave it out"]),
        (
            &format!("type = 'sub'\nbind = [{tcp}]\non_full = 'cut-off'"),
            ["line 4", "on_full", "\"drop-newest\" or \"block\""],
        ),
        (&format!("type = 'pull'\nbind = [{tcp}]\non_full = 'drop-newest'"), ["line 4", "on_full", "say \"block\""]),
        (
            &format!("type = 'pair'\nbind = [{tcp}]\non_full = 'drop-newest'"),
            ["line 4", "on_full", "no flow writes to"],
        ),
        (
            &format!("type = 'push'\nbind = [{tcp}]\non_full = 'cut-off'"),
            ["line 4", "on_full", "\"block\" or \"drop-newest\""],
        ),
    ] {
        assert_refused(&format!("[sockets.a]\n{keys}\n"), &words);
    }
    for name in ["publish", "frontend", "http", "admin", "events", "workers"] {
        let text = format!("\n[sockets.{name}]\ntype = 'sub'\nbind = [{tcp}]");
        assert_refused(&text, &["line 2", &format!("[sockets.{name}]"), "another name"]);
    }
    for table in ["sockets", "flows", "routes"] {
        let rest = ["type = 'sub'\nbind = ['tcp://*:1']", "from = ['x']\nto = ['publish']", ""];
        let rest = rest[["sockets", "flows", "routes"].iter().position(|known| *known == table).unwrap()];
        for name in ["Up", "\"\"", "\"a.b\"", "-a"] {
            assert_refused(&format!("\n[{table}.{name}]\n{rest}"), &["line 2", "does not match [a-z0-9][a-z0-9_-]*"]);
        }
    }
    for keys in [
        "type = 'pub'\nbind = ['tcp://*:1', 'ipc:///tmp/x']\nconnect = ['tcp://h:1']\non_full = 'block'",
        "type = 'sub'\nconnect = ['tcp://[::1]:1']\nsubscribe = ['', 'EUR']\nsequence = 1\non_full = 'block'",
        "type = 'pull'\nbind = ['tcp://*:*', 'tcp://127.0.0.1:1']\nsequence = 0\non_full = 'block'",
        "type = 'pair'\nconnect = ['ipc://x']\nsequence = 0\non_full = 'block'",
        "type = 'push'\nconnect = ['tcp://h:1', 'tcp://h:2']\non_full = 'drop-newest'",
    ] {
        assert_taken(&format!("[sockets.a]\n{keys}\n"));
    }
    assert_taken(&format!(
        "[sockets.a]\ntype = 'pair'\nbind = [{tcp}]\non_full = 'drop-newest'\n[routes.x]\nto = ['a']"
    ));
}

#[test]
fn events_are_served_somewhere_and_named_where_they_are() {
    let flow = "[sockets.a]\ntype = 'pull'\nbind = ['tcp://*:1']\n[flows.f]\nfrom = ['a']\nto = ['events']\n";
    assert_refused(flow, &["line 6", "flows.f.to[0]", "--events"]);
    assert_taken(&format!("{flow}[events]\nenabled = true"));
    assert_refused("[http]\naddress = 'none'\n[events]\nenabled = true", &["line 4", "events.enabled", "http.address"]);
    assert_refused("[events]\norigins = ['https://a', '*']", &["line 2", "events.origins[1]", "list the origins"]);
    let published = "[messaging]\npublish = 'none'\n[routes.r]\nto = ['publish']\n[events]\nenabled = true\n";
    assert_taken(published);
    assert_refused(&format!("{published}publish = false"), &["routes.r.to[0]", "messaging.publish is none"]);
    assert_refused("[routes.events]\nthrough = ['a']", &["line 1", "[routes.events]", "another name"]);
}

#[test]
fn a_socket_has_one_role_in_curve_and_the_keys_for_it() {
    let keys = "[curve]\nsecret_key_file = 's'\nauthorized_keys_dir = 'd'\n";
    let connects = "[sockets.a]\ntype = 'sub'\nconnect = ['tcp://h:1']\n";
    let binds = "[sockets.a]\ntype = 'sub'\nbind = ['tcp://h:1']\n";
    for (before, socket, keys, words) in [
        ("", connects, "server_key = 'k'", ["line 4", "server_key", "curve.secret_key_file is not set"]),
        ("", binds, "server_key = 'k'", ["line 4", "server_key", "say where it connects"]),
        (keys, binds, "server_key = 'k'\nconnect = ['tcp://h:2']", ["line 7", "server_key", "a socket of its own"]),
        (keys, connects, "server_key = 'k'\ncurve = true", ["line 8", "curve", "leave out one of the two"]),
        ("", binds, "curve = true", ["line 4", "sockets.a.curve", "tidegate keygen"]),
        (keys, connects, "curve = true", ["line 7", "sockets.a.curve", "say `server_key`"]),
        (keys, binds, "connect = ['tcp://h:2']", ["line 7", "sockets.a.connect", "curve = false"]),
    ] {
        assert_refused(&format!("{before}{socket}{keys}"), &words);
    }
    for (before, socket, keys) in [
        (keys, connects, "server_key = 'k'"),
        (keys, connects, ""),
        (keys, binds, "curve = true"),
        (keys, binds, "curve = false\nconnect = ['tcp://h:2']"),
        ("", binds, "connect = ['tcp://h:2']"),
    ] {
        assert_taken(&format!("{before}{socket}{keys}"));
    }
}

#[test]
fn two_that_bind_at_one_endpoint_are_refused() {
    let others = "[http]\naddress = '127.0.0.1:5000'\n[messaging]\nfrontend = 'tcp://127.0.0.1:5570'\n";
    let socket = |endpoint: &str| format!("{others}[sockets.b]\ntype = 'pull'\nbind = ['{endpoint}']\n");
    for (endpoint, key) in [
        ("tcp://*:4444", "messaging.publish"),
        ("tcp://localhost:5000", "http.address"),
        ("tcp://127.0.0.1:5001", "admin.address"),
    ] {
        assert_refused(&socket(endpoint), &["line 7", "sockets.b.bind[0]", key, "another port or path"]);
    }
    assert_refused(
        "[messaging]\npolicy = 'p'\n[sockets.b]\ntype = 'pull'\nbind = ['tcp://*:5570']",
        &["line 5", "messaging.frontend"],
    );
    let two = format!("{}[sockets.a]\ntype = 'sub'\nbind = ['ipc:///tmp/./x']", socket("ipc:///tmp/x"));
    assert_refused(&two, &["line 7", "sockets.a binds too"]);
    assert_refused(
        "[sockets.a]\ntype = 'pull'\nbind = ['tcp://*:1', 'tcp://localhost:1']",
        &["line 3", "sockets.a.bind[1]", "sockets.a binds too"],
    );
    // Without a policy there may be no frontend; any free port is free.
    for endpoint in ["tcp://*:5570", "tcp://127.0.0.2:5000", "tcp://[::1]:5001"] {
        assert_taken(&socket(endpoint));
    }
    assert_taken(&format!("{}[sockets.a]\ntype = 'sub'\nbind = ['tcp://*:*', 'tcp://*:0']", socket("tcp://*:*")));
}

#[test]
fn a_flow_that_makes_no_sense_is_refused() {
    for (keys, words) in [
        ("from = []\nto = ['publish']", ["line 8", "flows.f.from", "name the sockets that messages come from"]),
        ("from = ['ticks']\nto = []", ["line 9", "flows.f.to", "name the sockets that messages go to"]),
        ("from = ['tick']\nto = ['publish']", ["line 8", "flows.f.from[0]", "did you mean `ticks`?"]),
        ("from = ['ticks', 'zz']\nto = ['publish']", ["line 8", "from[1]", "there are `jobs`, `peer`, `ticks`"]),
        ("from = ['archive']\nto = ['publish']", ["line 8", "from[0]", "a push socket, which only writes"]),
        ("from = ['news']\nto = ['publish']", ["line 8", "from[0]", "reads from sub, pull, pair and router"]),
        ("from = ['publish']\nto = ['news']", ["line 8", "from[0]", "connect a sub socket"]),
        ("from = ['ticks']\nto = ['publsh']", ["line 9", "flows.f.to[0]", "did you mean `publish`?"]),
        ("from = ['ticks']\nto = ['jobs']", ["line 9", "to[0]", "a pull socket, which only reads"]),
        ("from = ['ticks']\nto = ['frontend']", ["line 9", "to[0]", "no socket is named `frontend`"]),
        ("from = ['ticks', 'ticks']\nto = ['news']", ["line 8", "from[1]", "`ticks` stands here twice"]),
        ("from = ['ticks']\nto = ['news', 'publish', 'news']", ["line 9", "to[2]", "`news` stands here twice"]),
        ("from = ['ticks']\nto = ['news']\nthrough = ['a', 'B']", ["line 10", "through[1]", "`B` does not match"]),
    ] {
        assert_refused(&format!("{SOCKETS}[flows.f]\n{keys}\n"), &words);
    }
    let none = format!("[messaging]\npublish = 'none'\n{SOCKETS}[flows.f]\nfrom = ['ticks']\nto = ['publish']");
    assert_refused(&none, &["line 11", "flows.f.to[0]", "messaging.publish is none", "give it an endpoint"]);
    assert_refused("[flows.f]\nfrom = ['a']\nto = ['publish']", &["line 2", "add [sockets.a]"]);
    // A relay, an echo, a chain that has one plugin twice, and all types at once.
    for keys in [
        "from = ['ticks']\nto = ['publish']",
        "from = ['peer']\nto = ['peer']",
        "from = ['ticks']\nthrough = ['a', 'b', 'a']\nto = ['publish']",
        "from = ['ticks', 'jobs', 'peer']\nto = ['publish', 'news', 'archive', 'peer']",
    ] {
        assert_taken(&format!("{SOCKETS}[flows.f]\n{keys}\n"));
    }
}

#[test]
fn a_pull_or_pair_has_one_reader() {
    let flows = |socket: &str| {
        format!(
            "{SOCKETS}[flows.one]\nfrom = ['{socket}']\nto = ['publish']\n[flows.two]\nfrom = [\n'ticks',\n'{socket}']\n\
             to = ['news']\n"
        )
    };
    for socket in ["jobs", "peer"] {
        assert_refused(
            &flows(socket),
            &["line 13", "flows.two.from[1]", "flows.one reads already", "socket of its own"],
        );
    }
    assert_taken(&format!(
        "{SOCKETS}[flows.one]\nfrom=['ticks']\nto=['news']\n[flows.two]\nfrom=['ticks']\nto=['news']"
    ));
}

/// A flow by name, from a socket at one endpoint to one at another.
fn flow(name: &str, from: &str, to: &str) -> String {
    format!(
        "[sockets.{name}-in]\n{from}\n[sockets.{name}-out]\n{to}\n[flows.{name}]\nfrom = ['{name}-in']\nto = ['{name}-out']\n"
    )
}

#[test]
fn a_circle_is_refused() {
    let sub = |place: &str| format!("type = 'sub'\n{place}");
    let (binds, connects) = (|at: &str| format!("bind = ['{at}']"), |at: &str| format!("connect = ['{at}']"));
    let published = |place: &str| format!("type = 'pub'\n{place}");
    // By itself, whichever side binds, and however the endpoint is written.
    for (bind, connect) in [
        ("tcp://*:1", "tcp://localhost:1"),
        ("ipc:///tmp/x", "ipc:///tmp/y/../x"),
        ("tcp://h.example:1", "tcp://H.example:1"),
    ] {
        let words = ["line 9", "flows.a.to[0]", "a → a", connect, "read or write elsewhere"];
        assert_refused(&flow("a", &sub(&connects(connect)), &published(&binds(bind))), &words);
        assert_refused(&flow("a", &sub(&binds(bind)), &published(&connects(connect))), &words);
    }
    let own =
        "[sockets.s]\ntype = 'sub'\nconnect = ['tcp://127.0.0.1:4444']\n[flows.a]\nfrom = ['s']\nto = ['publish']";
    assert_refused(own, &["line 6", "`publish` comes back by tcp://127.0.0.1:4444", "a → a"]);
    // Through others.
    let push = |place: &str| format!("type = 'push'\n{place}");
    let pull = |place: &str| format!("type = 'pull'\n{place}");
    let first = flow("a", &pull(&binds("tcp://*:1")), &push(&connects("tcp://localhost:2")));
    let second = flow("b", &pull(&binds("tcp://*:2")), &push(&connects("tcp://localhost:3")));
    let third = |port: u16| flow("c", &pull(&binds("tcp://*:3")), &push(&connects(&format!("tcp://localhost:{port}"))));
    assert_refused(&[first.clone(), second.clone(), third(1)].concat(), &["line 9", "a → b → c → a"]);
    assert_refused(&[first.clone(), second.clone(), third(2)].concat(), &["flows.b.to[0]", "b → c → b"]);
    assert_taken(&[first, second, third(4)].concat());
    // Two pairs that echo to each other.
    let pair = |name: &str, place: String| {
        format!("[sockets.{name}]\ntype = 'pair'\n{place}\n[flows.{name}]\nfrom = ['{name}']\nto = ['{name}']\n")
    };
    let (one, other) = (pair("p", binds("ipc:///tmp/p")), pair("q", connects("ipc:///tmp/p")));
    assert_refused(&[one.clone(), other].concat(), &["line 6", "flows.p.to[0]", "p → q → p"]);
    assert_taken(&[one, pair("q", connects("ipc:///tmp/q"))].concat());
    // What does not talk to each other, and what another machine has at the same port.
    assert_taken(&flow("a", &sub(&connects("tcp://localhost:1")), &push(&binds("tcp://*:1"))));
    assert_taken(&flow("a", &sub(&connects("tcp://feed.example:1")), &published(&binds("tcp://*:1"))));
}

#[test]
fn a_route_that_makes_no_sense_is_refused() {
    for (keys, words) in [
        ("through = ['A']", ["line 8", "routes.r.through[0]", "`A` does not match"]),
        ("to = ['jobs']", ["line 8", "routes.r.to[0]", "which only reads"]),
        ("to = ['archve']", ["line 8", "routes.r.to[0]", "did you mean `archive`?"]),
        ("headers = ['X-Sensor']", ["line 8", "routes.r.headers[0]", "write `x-sensor`"]),
        ("headers = ['x sensor']", ["line 8", "headers[0]", "no name of a header"]),
        ("headers = ['']", ["line 8", "headers[0]", "no name of a header"]),
        ("headers = ['a', 'a']", ["line 8", "headers[1]", "twice"]),
        ("headers = ['host']", ["line 8", "headers[0]", "of the connection"]),
        ("headers = ['transfer-encoding']", ["line 8", "headers[0]", "leave it out"]),
        ("response_headers = ['content-length']", ["line 8", "response_headers[0]", "of the connection"]),
        ("response_headers = ['content-type']", ["line 8", "response_headers[0]", "without being asked"]),
        ("response_headers = ['access-control-allow-origin']", ["line 8", "response_headers[0]", "by `cors` alone"]),
        ("response_headers = ['tidegate-plugin']", ["line 8", "response_headers[0]", "leave it out"]),
        ("cors = ['*']", ["line 8", "routes.r.cors[0]", "list the origins"]),
        ("cors = ['app.example']", ["line 8", "cors[0]", "such as https://app.example"]),
        ("cors = ['null']", ["line 8", "cors[0]", "no origin"]),
        ("cors = ['https://app.example/']", ["line 8", "cors[0]", "write `https://app.example`"]),
        ("cors = ['https://App.example']", ["line 8", "cors[0]", "write `https://app.example`"]),
        ("cors = ['https://app.example:443']", ["line 8", "cors[0]", "write `https://app.example`"]),
        ("cors = ['https://app.example:0']", ["line 8", "cors[0]", "no origin"]),
        ("cors = ['https://a b']", ["line 8", "cors[0]", "no origin"]),
        ("cors = ['https://me@app.example']", ["line 8", "cors[0]", "no origin"]),
    ] {
        assert_refused(&format!("{SOCKETS}[routes.r]\n{keys}\n"), &words);
    }
    for keys in [
        "",
        "to = []",
        "through = ['a', 'b']\nto = ['publish', 'archive']\nheaders = ['cookie', 'authorization', 'x-sensor']",
        "response_headers = ['set-cookie', 'etag']\ncors = ['http://localhost:3000', 'https://[::1]', 'capacitor://localhost']",
    ] {
        assert_taken(&format!("{SOCKETS}[routes.r]\n{keys}\n"));
    }
}

#[test]
fn what_is_wrong_by_a_flag_is_told_without_a_line_that_does_not_exist() {
    let mut config = Config::default();
    config.messaging.policy = Some("p".to_owned());
    let flow = toml::from_str("from = ['a']\nto = ['b']").expect("a flow");
    config.flows.insert("f".to_owned(), flow);
    let error = config.check(&Document::default()).expect_err("no such socket");
    assert!(error.starts_with("flows.f.from[0]: no socket is named `a`"), "{error}");
}
