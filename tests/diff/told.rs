//! How a comparison is told beside its report: by the exit code, as a page, and as examples.

use super::{Bench, changing, echoing};
use crate::fixtures;

#[test]
fn the_exit_code_says_whether_more_differs_than_may() {
    let bench = Bench::new(&echoing(), &changing(0, 'x', 'y'));
    bench.bodies(&["a", "x", "b", "x"]);
    assert_eq!(bench.diff(&[]).code, Some(0));
    for (bound, code) in [("0", 1), ("1", 1), ("2", 0), ("49.9%", 1), ("50%", 0), ("100%", 0)] {
        let ended = bench.diff(&["--max-diff", bound]);
        assert_eq!(ended.code, Some(code), "{bound}: {ended:?}");
        assert_eq!(ended.stderr.contains("error: 2 of 4 inputs differ, over "), code == 1, "{ended:?}");
    }
    bench.diff(&["--max-diff=some"]).fails(2, "neither a number of inputs such as 0 nor a share such as 0.1%");
    bench.diff(&["--ignore=$..ts"]).fails(2, "`..` is not supported");
    bench.diff(&["--unordered=items"]).fails(2, "does not begin with $");
    bench.run(&["diff", "old.wasm", "new.wasm"]).fails(2, "--on <FILE>");
}

#[test]
fn the_page_runs_nothing_that_a_capture_says() {
    let bench = Bench::new(&echoing(), &fixtures::filtering());
    let hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&\u{202e}";
    bench.bodies(&[hostile]);
    assert_eq!(bench.diff(&["--html=diff.html", "--max-diff=0"]).code, Some(1), "it is written all the same");
    let page = std::fs::read_to_string(bench.path("diff.html")).unwrap();
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;"), "{page}");
    for word in ["<img", "<script", "javascript:", "http:", "https:", "\u{202e}"] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("filtered now: 1 (100 %)"), "{page}");
}

#[test]
fn the_most_telling_inputs_become_examples() {
    let bench = Bench::new(&echoing(), &fixtures::trapping_on(b'T'));
    bench.bodies(&["a", "Tb", "Tc", "Td"]);
    bench.diff(&["--save-examples=2"]).fails(1, "say with --examples FILE where the examples are to be written");
    std::fs::create_dir(bench.path("new")).unwrap();
    let own = "[[transform]]\nname = \"own\"\ninput.body = \"a\"\nexpect.body = \"a\"\n";
    bench.write("new/examples.toml", own);
    let saved = bench.diff(&["--save-examples=2"]);
    assert_eq!(saved.code, Some(0), "{saved:?}");
    assert!(saved.stderr.contains("2 examples written to new/examples.toml"), "{saved:?}");
    let text = std::fs::read_to_string(bench.path("new/examples.toml")).unwrap();
    assert!(text.starts_with(own) && text.contains("new failure: trapped, input 2"), "{text}");
    let tried = |component: &str| bench.run(&["test", component, "--examples=new/examples.toml"]);
    assert!(tried("old.wasm").stdout.ends_with("3 passed, 0 failed\n"));
    let misses = tried("new.wasm");
    assert!(misses.stdout.ends_with("1 passed, 2 failed\n"), "{misses:?}");
    let again = bench.diff(&["--save-examples=2"]);
    assert!(again.stderr.contains("0 examples written"), "{again:?}");
    assert_eq!(std::fs::read_to_string(bench.path("new/examples.toml")).unwrap(), text);
}
