//! A tag that is moved is taken by one host after the other, when the fleet is told to.

use super::*;

#[test]
fn hosts_look_at_their_tag_in_their_turn() {
    let Some(registry) = registry() else { return };
    let reference = registry.reference("1");
    push("downcase", &reference);
    let start = |reference: &str| setup().config(&format!("[plugins.x]\npath = '{reference}'\npoll_ms = 0\n")).start();
    let hosts = [start(&reference), start(&reference)];
    let admin = |host: &Host| host.surface("admin").trim_start_matches("http://").to_owned();
    let names = hosts.each_ref().map(admin);
    let fleet = |source: &str, hosts: &[String]| {
        let mut process = Process::start(
            tidegate().args(["fleet", "load", "x", source, "--watch=100ms"]).args(hosts).envs(ENVIRONMENT),
        );
        let code = process.wait().code().expect("an exit code");
        (code, process.stdout())
    };
    push("upcase", &reference);
    let (code, shown) = fleet(&reference, &names);
    assert!(code == 0 && shown.starts_with("127.0.0.1") && shown.contains("\nall 2 hosts serve "), "{shown}");
    assert!(hosts.iter().all(|host| answer(host).text() == UP));
    // Once more there is nothing to do.
    let (code, shown) = fleet(&reference, &names);
    assert!(code == 0 && shown.matches("already").count() == 2, "{shown}");

    // One that goes back from what its tag stands for does not load that at its next start.
    push("downcase", &reference);
    assert_eq!(hosts[1].admin_request("POST", "/plugins/x/pause", Some(b"")).status, 200);
    let (code, shown) = fleet(&reference, &names);
    assert!(code == 1 && shown.contains("its operator has paused the plugin there"), "{shown}");
    assert_eq!(answer(&hosts[0]).text(), UP);
    assert!(hosts[0].status("x")["condemned"].is_object(), "{}", hosts[0].status("x"));
    assert_eq!(hosts[1].admin_request("POST", "/plugins/x/resume", Some(b"")).status, 200);

    // Of another tag it has to be the source everywhere.
    push("downcase", &registry.reference("2"));
    let other = start(&registry.reference("2"));
    let all = [&names[..], &[admin(&other)]].concat();
    let (code, shown) = fleet(&reference, &all);
    let why = format!("{}: it loads the plugin from {}, not from {reference}\n", all[2], registry.reference("2"));
    assert!(code == 1 && shown.starts_with(&why) && shown.contains("nothing was changed"), "{shown}");
    assert_eq!(other.stop(), 0);

    // What is no plugin is refused by the first, and nobody else is asked.
    let directory = tempfile::tempdir().unwrap();
    let (bad, text) = path(directory.path(), "bad.wasm");
    std::fs::write(bad, wat::parse_str("(component)").unwrap()).unwrap();
    stdout_of(&["push", &text, &reference]);
    let (code, shown) = fleet(&reference, &names);
    assert!(code == 1 && shown.contains("refused: type-check") && shown.ends_with("what they did before\n"), "{shown}");
    assert!(hosts.iter().all(|host| answer(host).text() == UP));
    assert!(hosts.into_iter().all(|host| host.stop() == 0));
}
