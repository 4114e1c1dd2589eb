//! The words that the first pages use are explained, and those pages say where.

use crate::harness::root;

/// Where a reader meets them first.
const PAGES: [&str; 4] = ["README.md", "docs/tutorial.md", "docs/operating.md", "docs/authoring.md"];
const WORDS: [&str; 13] = [
    "plugin",
    "role",
    "processor",
    "transform",
    "policy",
    "http-handler",
    "slot",
    "generation",
    "frontend",
    "envelope",
    "ledger",
    "hop",
    "dead letter",
];

#[test]
fn each_word_has_a_row_of_its_own() {
    let text = std::fs::read_to_string(root().join("docs/words.md")).unwrap();
    assert!(text.contains("\n## The demo\n"));
    let explained: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .flat_map(|(words, _)| words.split(", "))
        .collect();
    for word in WORDS {
        assert!(explained.contains(&word), "{word} is not explained: {explained:?}");
    }
}

#[test]
fn the_first_pages_say_where_words_are_explained() {
    for page in PAGES {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let link = text.find("words.md").unwrap_or_else(|| panic!("{page} does not link words.md"));
        assert!(text[..link].lines().count() <= 30, "{page} links words.md late");
    }
}
