//! All addresses of a name: who may connect to them, and that nobody binds there.

use super::{assert_refused, assert_taken};

#[test]
fn sockets_with_many_peers_connect_to_all_addresses_of_a_name_and_nobody_binds_there() {
    for kind in ["sub", "pull", "push", "pub"] {
        assert_taken(&format!("[sockets.a]\ntype = '{kind}'\nconnect = ['dns+tcp://h:1', 'tcp://h:1']"));
        let bound = format!("[sockets.a]\ntype = '{kind}'\nbind = ['dns+tcp://h:1']");
        assert_refused(&bound, &["line 3", "sockets.a.bind[0]", "`dns+tcp://h:1`", "bind to one address"]);
    }
    for (text, words) in [
        ("[sockets.a]\ntype = 'pair'\nconnect = ['dns+tcp://h:1']", ["line 3", "connect[0]", "a pair has one peer"]),
        ("[sockets.a]\ntype = 'router'\nconnect = ['dns+tcp://h:1']", ["line 2", "sockets.a", "by WebSocket only"]),
        ("[workers.a]\nbind = ['tcp://h:1', 'dns+tcp://h:2']", ["line 2", "workers.a.bind[1]", "bind to one address"]),
        ("[messaging]\nfrontend = 'dns+tcp://h:1'", ["line 2", "messaging.frontend", "bind to one address"]),
        ("[messaging]\npublish = 'dns+tcp://h:1'", ["line 2", "messaging.publish", "bind to one address"]),
    ] {
        assert_refused(text, &words);
    }
    let circle = "[sockets.in]\ntype = 'pull'\nbind = ['tcp://*:1']\n[sockets.out]\ntype = 'push'\n\
                  connect = ['dns+tcp://localhost:1']\n[flows.f]\nfrom = ['in']\nto = ['out']\n";
    assert_refused(circle, &["flows.f.to[0]", "for ever"]);
}
