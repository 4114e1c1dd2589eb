//! Large pools behind a name: what changes all the time does not fill the log.

use super::{Names, OFTEN, has_metric, port};
use crate::harness::{Setup, wait_for};

/// Lines of each kind that a socket has in the log in a minute.
const LINES_MAX: usize = 20;

#[test]
fn a_name_that_has_other_addresses_at_each_look_fills_no_log() {
    let pool = |third: u8, count: u8| (1..=count).map(|last| format!("127.1.{third}.{last}")).collect::<Vec<_>>();
    let (before, after) = (pool(1, 40), pool(2, 35));
    let Some(names) = Names::new(&[]) else { return };
    let set = |pool: &[String]| {
        let addresses: Vec<_> = pool.iter().map(String::as_str).collect();
        names.set(&[("pool.test", &addresses)]);
    };
    set(&before);
    let endpoint = format!("dns+tcp://pool.test:{}", port());
    let config = format!(
        "{OFTEN}[sockets.in]\ntype = 'pull'\nbind = ['tcp://127.0.0.1:*']\n[sockets.out]\ntype = 'push'\n\
         connect = ['{endpoint}']\n[flows.relay]\nfrom = ['in']\nto = ['out']"
    );
    let mut host = names.start(Setup::new().committed("downcase").config(&config));
    let has = |count: usize| {
        let gauge = format!("tidegate_socket_name_addresses{{socket=\"out\",endpoint=\"{endpoint}\"}} {count}");
        wait_for("the addresses", || has_metric(&host, &gauge).then_some(()));
    };
    has(before.len());
    set(&after);
    has(after.len());
    host.process.wait_for_line(&["letting go of an address that has left its name"]);
    let (code, told) = host.stop_and_tell();
    assert_eq!(code, 0, "{told}");
    let log = host.process.stderr();
    for what in ["connecting to an address that a name has", "letting go of an address that has left its name"] {
        assert_eq!(log.matches(what).count(), LINES_MAX, "{what}: {log}");
    }
}
