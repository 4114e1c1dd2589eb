//! Ctrl-C between two hosts leaves them as they are, and says how that is.

use super::*;
use crate::harness::{LONG_PATIENCE, wait_up_to};

#[test]
fn an_interruption_says_what_stands_where() {
    let hosts = [0, 1].map(|_| host_of("downcase").start());
    let names = hosts.each_ref().map(admin);
    let file = written(hosts[0].directory.path(), "new.wasm", &bytes("upcase"));
    let mut command = tidegate();
    command.args(["fleet", "load", "p", &file, "--watch=1h"]).args(&names);
    let mut process = Process::start(&mut command);
    wait_up_to(LONG_PATIENCE, "the first to change", || (serving(&hosts[0]) == digest(&bytes("upcase"))).then_some(()));
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(130), "{}", process.stdout());
    let shown = process.stdout();
    let expected = format!(
        "interrupted: the hosts stay as they are\n{}: serves {}, and was not watched to the end\n{}: untouched, it serves \
         what it did\n",
        names[0],
        &digest(&bytes("upcase"))[..12],
        names[1]
    );
    assert!(shown.ends_with(&expected), "{shown}");
    assert_eq!(serving(&hosts[1]), digest(&bytes("downcase")));
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}
