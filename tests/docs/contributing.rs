//! CONTRIBUTING.md has every folder of the host on its map, and names tests that are there for each invariant.

use crate::harness::root;

#[test]
fn every_folder_of_the_host_is_on_the_map() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let (_, map) = text.split_once("\n## Where things are\n").unwrap();
    let map = map.split("\n## ").next().unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("host/src")).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                map.contains(&format!("`host/src/{name}/`")) || map.contains(&format!("`{name}/`")),
                "host/src/{name} is not on the map"
            );
            seen += 1;
        }
    }
    assert!(seen > 9, "{seen}");
}

#[test]
fn each_invariant_names_tests_that_are_there() {
    let text = std::fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let (_, invariants) = text.split_once("\n## Invariants\n").unwrap();
    let invariants = invariants.split("\n## ").next().unwrap();
    let each: Vec<&str> =
        (1..).map_while(|number| invariants.split_once(&format!("\n{number}. "))).map(|it| it.1).collect();
    assert_eq!(each.len(), 9);
    for invariant in each {
        let named: Vec<&str> = invariant.split('`').filter(|word| word.starts_with("tests/")).collect();
        assert!(!named.is_empty(), "{invariant}");
        for path in named {
            assert!(root().join(path).exists(), "{path} is not there");
        }
    }
}
