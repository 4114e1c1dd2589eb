//! What the docs show of a component in this repository is what it is.

use crate::harness::root;
use sha2::{Digest, Sha256};

const COMMAND: &str = "$ tidegate plugin check ";

#[test]
fn a_component_that_is_shown_has_the_digest_and_size_that_it_has() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for page in docs
        .filter(|page| page.extension().is_some_and(|extension| extension == "md"))
        .chain([root().join("README.md")])
    {
        let text = std::fs::read_to_string(&page).unwrap();
        for shown in text.split(COMMAND).skip(1) {
            let (path, output) = shown.split_once('\n').unwrap();
            let output = output.split("```").next().unwrap();
            let Ok(component) = std::fs::read(root().join(path)) else { continue };
            // What the reader builds has a digest of the reader's.
            if output.contains("digest: …") {
                continue;
            }
            let digest: String = Sha256::digest(&component).iter().map(|byte| format!("{byte:02x}")).collect();
            for line in [format!("digest: {digest}\n"), format!("size: {} bytes\n", component.len())] {
                assert!(output.contains(&line), "{}: {path} has {line}{output}", page.display());
            }
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen}");
}
