//! With CURVE each address has to show the key that the socket trusts.

use super::{FIRST, Names, OFTEN, SECOND, THIRD, port, wait_for_peers};
use crate::flows::unconnected;
use crate::harness::Setup;
use crate::keygen::Pair;

#[test]
fn each_address_has_to_show_the_key_of_the_server() {
    let Some(names) = Names::new(&[("feeds.test", &[FIRST, THIRD])]) else { return };
    let port = port();
    let setup = Setup::new().committed("downcase");
    let [host_key, feed_key, other_key] = ["host", "feed", "other"].map(|name| Pair::new(setup.path().join(name)));
    let feed = |address: &str, key: &Pair| {
        let feed = unconnected(zmq::PUSH);
        feed.set_ipv6(address.contains(':')).unwrap();
        feed.set_curve_server(true).unwrap();
        feed.set_curve_secretkey(&zmq::z85_decode(&key.secret).unwrap()).unwrap();
        feed.bind(&format!("tcp://{address}:{port}")).unwrap();
        feed
    };
    let feeds = [feed(FIRST, &feed_key), feed(SECOND, &feed_key), feed(THIRD, &other_key)];
    std::fs::create_dir(setup.path().join("authorized")).unwrap();
    let config = format!(
        "{OFTEN}[curve]\nsecret_key_file = '{}'\nauthorized_keys_dir = 'authorized'\n[sockets.in]\ntype = 'pull'\n\
         connect = ['dns+tcp://feeds.test:{port}']\nserver_key = '{}'\n[sockets.out]\ntype = 'push'\n\
         bind = ['tcp://127.0.0.1:*']\ncurve = false\n[flows.relay]\nfrom = ['in']\nto = ['out']",
        host_key.file("secret.key"),
        feed_key.file("public.key")
    );
    let host = names.start(setup.config(&config));
    let reader = unconnected(zmq::PULL);
    reader.connect(host.surface("out")).unwrap();
    wait_for_peers(&host, "in", &[FIRST]);
    host.process.wait_for_line(&["handshake refused", &format!("{THIRD}:{port}")]);
    names.set(&[("feeds.test", &[FIRST, SECOND, THIRD])]);
    wait_for_peers(&host, "in", &[FIRST, SECOND]);
    for feed in &feeds[..2] {
        feed.send("signed", 0).unwrap();
        assert_eq!(reader.recv_bytes(0).unwrap(), b"signed");
    }
    assert_eq!(host.stop(), 0);
}
