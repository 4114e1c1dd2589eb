//! The README can be read in one sitting.

use crate::harness::root;

#[test]
fn it_is_short() {
    let lines = std::fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= 200, "{lines}");
}
