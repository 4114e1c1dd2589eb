//! The README can be read in one sitting, and what it says holds each invariant is there.

use crate::harness::root;

#[test]
fn it_is_short() {
    let lines = std::fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= 200, "{lines}");
}

#[test]
fn each_invariant_names_tests_that_are_there() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
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
