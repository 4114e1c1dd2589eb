//! A rollback that is asked for goes to any generation that is kept, and lasts if it is to.

use super::remembered::{Place, SERVES_AGAIN, bad, plugin, wait_for_generation};
use super::{assert_serves, put, roll_back};
use crate::fixtures;
use crate::harness::{DOWN, LONG_PATIENCE, Setup, UP, bytes, component, wait_up_to};

#[test]
fn a_rollback_lasts_if_it_is_to_and_goes_as_far_as_is_asked() {
    let place = Place::with(&bytes("downcase"));
    let host = place.start();
    place.write(&bytes("upcase"));
    wait_for_generation(&host, 2);
    place.write(&fixtures::answering("", None));
    wait_for_generation(&host, 3);
    for wanted in ["3", "9"] {
        let (code, told) = plugin(&host, &["rollback", "x", "--to", wanted]);
        assert!(code == Some(1) && told.contains(&format!("generation {wanted} is not kept")), "{told}");
        assert!(told.contains("there is to go back to: 2, 1"), "{told}");
    }
    let (code, told) = plugin(&host, &["rollback", "x", "--to", "1", "--persist"]);
    assert!(code == Some(0) && told.contains("generation 4") && told.contains("the next start loads it too"), "{told}");
    assert_serves(&host, 4, DOWN);
    assert_eq!(host.status("x")["rolled_back"]["by"], "operator");
    // What replaced it may be condemned in turn.
    let (_, told) = plugin(&host, &["rollback", "x", "--to", "2", "--persist"]);
    assert!(told.contains("generation 5"), "{told}");
    assert_serves(&host, 5, UP);
    assert_eq!(roll_back(&host).status, 409);
    assert_eq!(host.stop(), 0);

    let host = place.start();
    host.process.wait_for_line(&[SERVES_AGAIN, "an operator rolled it back"]);
    assert_serves(&host, 1, UP);
    assert_eq!(host.status("x")["condemned"]["by"], "operator");
    // Without --persist the next start finds what the source holds.
    put(&host, &bytes("downcase"));
    let (_, told) = plugin(&host, &["rollback", "x"]);
    assert!(told.contains("not persisted"), "{told}");
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_same_bytes_are_nothing_to_go_back_to() {
    let host = Setup::new().plugin("x", &bytes("downcase")).start();
    put(&host, &bytes("upcase"));
    put(&host, &bytes("downcase"));
    let (code, told) = plugin(&host, &["rollback", "x", "--to", "1"]);
    assert!(code == Some(1) && told.contains("has the bytes that serve already, as generation 3"), "{told}");
    assert_serves(&host, 3, DOWN);
    let (_, told) = plugin(&host, &["rollback", "x", "--persist"]);
    assert!(told.contains("generation 4"), "{told}");
    // The first generation had the bytes that are condemned now.
    assert_eq!(host.status("x")["previous"].as_array().unwrap().len(), 0);
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_frontend_waits_for_a_policy_that_is_condemned() {
    let place = Place::with(&bytes("echo"));
    let host = place.start();
    let random = component("random-replies").display().to_string();
    assert_eq!(plugin(&host, &["load", "x", &random, "--persist"]).0, Some(0));
    let (code, told) = plugin(&host, &["rollback", "x", "--persist"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(host.stop(), 0);
    std::fs::remove_dir_all(place.cache().join("components")).unwrap();
    let host = place.start();
    assert!(host.surface("frontend").starts_with("tcp://"));
    let ready = host.admin("/readyz");
    assert!(ready.status == 503 && ready.text().starts_with("plugin x: nothing serves"), "{}", ready.text());
    place.write(&bytes("echo"));
    wait_up_to(LONG_PATIENCE, "readiness", || (host.readiness() == ["ready"]).then_some(()));
    assert_eq!(host.stop(), 0);
}

#[test]
fn figures_are_those_of_the_serving_generation_and_of_all() {
    let place = Place::with(&bad());
    let host = place.start();
    assert_eq!((host.post("/x/", b"3").status, host.post("/x/", b"1").status), (502, 200));
    put(&host, &bytes("downcase"));
    assert_serves(&host, 2, DOWN);
    let status = host.status("x");
    let figures = ["calls", "generation_calls", "generation_failures"].map(|key| status[key].as_u64());
    assert_eq!(figures, [Some(3), Some(1), Some(0)], "{status}");
    let (_, list) = plugin(&host, &["list"]);
    let row: Vec<_> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row[6..8], ["1/3", "0/1"], "{list}");
    assert_eq!(host.stop(), 0);
}
