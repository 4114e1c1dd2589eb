//! A component goes to one host after the other, or back from all of them, while traffic flows.

use super::*;
use crate::diff::changing;
use crate::fixtures;
use crate::gate::gated;
use crate::harness::Setup;
use serde_json::{Value, json};

/// The newcomer answers `bb` with `bX`.
fn newcomer() -> Vec<u8> {
    changing(1, 'b', 'X')
}

fn echoing() -> Vec<u8> {
    fixtures::echoing(1 << 20)
}

/// The clients ask without a pause, which would be shed as overload on a busy machine; overload has its own tests.
fn unhurried(setup: Setup) -> Host {
    setup.config("[http]\nqueue_delay_ms_max = 0").start()
}

#[test]
fn a_component_goes_through_all_hosts_and_back_while_no_request_fails() {
    let hosts = [0, 1, 2].map(|_| unhurried(Setup::new().plugin("p", &echoing())));
    let (names, all) = (hosts.each_ref().map(admin), hosts.each_ref());
    let [a, b, c] = names.each_ref().map(String::as_str);
    let (old, new) = (digest(&echoing()), digest(&newcomer()));
    let file = written(hosts[0].directory.path(), "new.wasm", &newcomer());
    // One of them serves it already.
    assert_eq!(hosts[1].admin_request("PUT", "/plugins/p", Some(&newcomer())).status, 200);
    let shown = under_traffic(&all, &["bb", "bX"], || told(0, &load(&file, &names, &[])));
    let (short_old, short_new) = (&old[..12], &new[..12]);
    let expected = format!(
        "{a}: serves {short_new} and is well, before {short_old}\n{b}: serves {short_new} already\n\
         {c}: serves {short_new} and is well, before {short_old}\nall 3 hosts serve {short_new}\n"
    );
    assert_eq!(shown, expected);
    assert!(hosts.iter().all(|host| serving(host) == new));
    assert_eq!(hosts.each_ref().map(|host| host.status("p")["generation"].clone()), [2, 2, 2]);

    let back = ["rollback", "p", "--watch=300ms", a, b, c];
    let (code, shown, _) = under_traffic(&all, &["bb", "bX"], || fleet(&[&back[..], &["--json"]].concat()));
    let report: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &report["end"], &report["digest"]), (0, &json!("done"), &json!(old)), "{report}");
    assert_eq!(report["hosts"][2], json!({"host": c, "standing": "changed", "before": new, "why": null}));
    assert!(hosts.iter().all(|host| serving(host) == old));
    // What the first would go back to, another one has never had.
    assert_eq!(hosts[0].admin_request("PUT", "/plugins/p", Some(&bytes("downcase"))).status, 200);
    assert_eq!(hosts[0].admin_request("PUT", "/plugins/p", Some(&bytes("upcase"))).status, 200);
    let (code, shown, _) = fleet(&[&back[..], &["--to", &digest(&bytes("downcase"))[..20]]].concat());
    assert!(code == 1 && shown.contains(&format!("{b}: it neither serves ")), "{shown}");
    assert!(shown.ends_with(&format!("nothing was changed: it cannot be done at {b}, {c}\n")), "{shown}");
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}

#[test]
fn a_component_that_one_host_refuses_serves_on_none_afterwards() {
    let open = || unhurried(Setup::new().plugin("p", &echoing()));
    let hosts = [open(), open(), unhurried(gated(&echoing(), "", &["aa", "bb", "ab"]))];
    let (names, all) = (hosts.each_ref().map(admin), hosts.each_ref());
    let [a, b, c] = names.each_ref().map(String::as_str);
    let (old, new) = (digest(&echoing()), digest(&newcomer()));
    let file = written(hosts[0].directory.path(), "new.wasm", &newcomer());
    let shown = under_traffic(&all, &["bb", "bX"], || told(1, &load(&file, &names, &["--persist"])));
    let (short_old, short_new) = (&old[..12], &new[..12]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], format!("{a}: serves {short_new} and is well, before {short_old}"));
    assert_eq!(lines[1], format!("{b}: serves {short_new} and is well, before {short_old}"));
    let refused = format!("{c}: plugin p is refused: gate: yesterday.mcap: 1 of 2 inputs differ");
    assert!(lines[2].starts_with(&refused) && lines[2].ends_with("; it serves what it did"), "{shown}");
    let back = [b, a].map(|host| format!("{host}: serves {short_old} again"));
    assert_eq!(&lines[3..], [&back[0], &back[1], "stopped: all hosts serve what they did before"]);
    assert!(hosts.iter().all(|host| serving(host) == old));
    let [generation, rollbacks] =
        ["generation", "rollbacks"].map(|key| hosts.each_ref().map(|host| host.status("p")[key].clone()));
    assert_eq!((generation, rollbacks), ([json!(3), json!(3), json!(1)], [json!(1), json!(1), json!(0)]));
    // It was persisted there, and is kept out by what is written down.
    assert!(hosts[0].status("p")["condemned"].is_object(), "{}", hosts[0].status("p"));

    // Where that is wanted the gate lets it in; what serves on none goes everywhere, or nowhere.
    let shown = told(0, &load(&file, &names, &["--expect-diff"]));
    assert!(shown.ends_with(&format!("all 3 hosts serve {short_new}\n")), "{shown}");
    let mut arguments = load(&file, &names, &[]);
    arguments[1] = "q";
    let shown = told(0, &arguments);
    assert!(shown.starts_with(&format!("{a}: serves {short_new} and is well, before nothing\n")), "{shown}");
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}
