//! A link in docs/ leads to a file that is there.

use crate::harness::root;

#[test]
fn every_link_leads_somewhere() {
    let docs = root().join("docs");
    let mut seen = 0;
    for entry in std::fs::read_dir(&docs).unwrap() {
        let page = entry.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap();
            if target.is_empty() || target.starts_with("http") {
                continue;
            }
            assert!(docs.join(target).exists(), "{}: {target} is not there", page.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
