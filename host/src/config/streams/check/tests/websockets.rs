//! Sockets at paths of the HTTP surface.

use super::{assert_refused, assert_taken, mistake};

#[test]
fn a_path_stands_only_where_websockets_can_reach_it() {
    let ws = "bind = ['ws:/in']";
    for (keys, words) in [
        ("type = 'router'\nbind = ['tcp://*:1']", ["line 3", "sockets.a.bind", "messaging.frontend"]),
        ("type = 'router'\nconnect = ['tcp://h:1']", ["line 2", "sockets.a.type", "a path such as ws:/in"]),
        ("type = 'pull'\nbind = ['ws:/in', 'tcp://*:1']", ["line 3", "sockets.a.bind[1]", "a socket of their own"]),
        ("type = 'pull'\nbind = ['ws:/in']\nconnect = ['tcp://h:1']", ["line 4", "connect", "a socket of its own"]),
        ("type = 'pull'\nconnect = ['ws:/in']", ["line 3", "connect[0]", "bind to the path"]),
        ("type = 'pull'\nbind = ['ws:/in', 'ws:/in']", ["line 3", "bind[1]", "twice"]),
        (&format!("type = 'pub'\n{ws}"), ["line 3", "bind", "events.enabled"]),
        (&format!("type = 'sub'\n{ws}"), ["line 3", "bind", "make it one of those"]),
        (&format!("type = 'pull'\n{ws}\nsequence = 1"), ["line 4", "sequence", "leave it out"]),
        (&format!("type = 'router'\n{ws}\non_full = 'block'"), ["line 4", "on_full", "say \"drop-newest\""]),
        (&format!("type = 'pull'\n{ws}\n[http]\naddress = 'none'"), ["line 3", "http.address", "give it an address"]),
        ("type = 'pull'\nbind = ['ws:/events']\n[events]\nenabled = true", ["line 3", "bind[0]", "another path"]),
        (
            &format!("type = 'pull'\n{ws}\n[sockets.b]\ntype = 'pull'\n{ws}"),
            ["line 6", "sockets.b.bind[0]", "sockets.a"],
        ),
        (&format!("type = 'pull'\n{ws}\n[workers.p]\n{ws}"), ["line 5", "workers.p.bind[0]", "tcp://127.0.0.1:5555"]),
        (&format!("type = 'pull'\n{ws}\n[messaging]\npublish = 'ws:/p'"), ["line 5", "messaging.publish", "/events"]),
    ] {
        assert_refused(&format!("[sockets.a]\n{keys}\n"), &words);
    }
    for keys in [
        "type = 'pull'\nbind = ['ws:/in', 'ws:/a.b/c']\non_full = 'block'",
        "type = 'router'\nbind = ['ws:/events']\non_full = 'drop-newest'",
        "type = 'router'\nbind = ['ws:/in']\n[flows.f]\nfrom = ['a']\nto = ['a', 'publish']",
        // The host's key is for its sockets of ZeroMQ.
        "type = 'pull'\nbind = ['ws:/in']\n[curve]\nsecret_key_file = 's'\nauthorized_keys_dir = 'd'",
    ] {
        assert_taken(&format!("[sockets.a]\n{keys}\n"));
    }
    assert!(mistake("[sockets.a]\ntype = 'pull'\nbind = ['ws:/in']\n[flows.f]\nfrom = ['a']\nto = ['a']").is_some());
}
