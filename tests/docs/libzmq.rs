//! docs/libzmq.md tells of every patch that libzmq is built with.

use crate::harness::root;

#[test]
fn every_patch_has_its_section() {
    let page = std::fs::read_to_string(root().join("docs/libzmq.md")).unwrap();
    let patches = std::fs::read_dir(root().join("host/zmq-sys/patches")).unwrap();
    let names = patches.map(|patch| patch.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    let missing: Vec<_> = names.filter(|name| !page.contains(&format!("\n## {name}\n"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
