//! A link in the documentation leads to a file that is there, and to a heading in it.

use crate::harness::root;
use std::path::Path;

#[test]
fn every_link_leads_somewhere() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let others = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benches/README.md"];
    let others = others.map(|page| root().join(page));
    let mut seen = 0;
    for page in docs.chain(others) {
        let text = std::fs::read_to_string(&page).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            assert!(path.exists(), "{}: {target} is not there", page.display());
            assert!(heading.is_empty() || has(&path, heading), "{}: {target} has no such heading", page.display());
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}

/// Whether a page has a heading that a link would name so.
fn has(page: &Path, heading: &str) -> bool {
    let anchor = |title: &str| -> String {
        let kept = title.trim().chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).flat_map(char::to_lowercase).collect()
    };
    let text = std::fs::read_to_string(page).unwrap();
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line.trim_start_matches('#')) == heading)
}
