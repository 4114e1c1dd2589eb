//! A tag that stands for bytes which were taken out of service does not bring them back.

use super::registry::registry;
use super::{answer, host_of, push, stdout_of, wait_for_generation};
use crate::fixtures;
use crate::harness::{DOWN, Setup, UP};

#[test]
fn a_bad_artifact_does_not_survive_its_rollback() {
    let Some(mut registry) = registry() else { return };
    let (reference, directory) = (registry.reference("1"), tempfile::tempdir().unwrap());
    let cache = format!("--cache={}", directory.path().join("cache").display());
    let setup = || -> Setup { host_of(&reference).with(&[&cache]).config("[rollback]\nfailures = 3") };
    push("downcase", &reference);
    let host = setup().start();
    let bad = directory.path().join("bad.wasm");
    std::fs::write(&bad, fixtures::trapping_on(b'3')).unwrap();
    stdout_of(&["push", bad.to_str().unwrap(), &reference]);
    wait_for_generation(&host, 2, "AbC");
    (0..3).for_each(|_| assert_eq!(host.post("/x/", b"3").status, 502));
    wait_for_generation(&host, 3, DOWN);
    assert_eq!(host.stop(), 0);

    for registry_answers in [true, false] {
        if !registry_answers {
            registry.kill();
        }
        let host = setup().start();
        host.process.wait_for_line(&["what the source holds was taken out of service", &reference]);
        assert_eq!(answer(&host).text(), DOWN);
        assert_eq!(host.status("x")["state"], "rolled-back");
        assert_eq!(host.stop(), 0);
    }
    registry.run();
    let host = setup().start();
    push("upcase", &reference);
    wait_for_generation(&host, 2, UP);
    assert!(host.status("x")["condemned"].is_null());
    assert_eq!(host.stop(), 0);
}
