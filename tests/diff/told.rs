//! How a comparison is told beside its report: by the exit code, as a page, and as examples.

use super::{Bench, changing, echoing, letter, message};
use crate::fixtures;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

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
fn no_bound_holds_for_a_file_that_is_damaged() {
    let bench = Bench::new(&echoing(), &echoing());
    let whole = letter("p", 1, message("a"));
    bench.write("letters", format!("{whole}{{\n"));
    assert_eq!(bench.diff(&[]).code, Some(0));
    for bound in ["--max-diff=0", "--max-diff=100%"] {
        bench.diff(&[bound]).fails(1, "1 parts of the inputs cannot be read");
    }
    bench.write("letters", whole);
    assert_eq!(bench.diff(&["--max-diff=0"]).code, Some(0));
}

#[test]
fn the_report_is_told_even_if_no_file_can_be_written() {
    let bench = Bench::new(&echoing(), &fixtures::filtering());
    bench.bodies(&["a"]);
    let unwritten = bench.diff(&["--html=no/diff.html", "--save-examples=1", "--examples=no/examples.toml"]);
    unwritten.fails(1, "writing no/diff.html: No such file");
    unwritten.fails(1, "writing no/examples.toml: No such file");
    assert!(unwritten.stdout.starts_with("p: 1 inputs of letters"), "{unwritten:?}");
    // It is tried first, before a file that is none of captured traffic.
    bench.write("examples.toml", "no examples").write("letters", "words");
    bench.diff(&["--save-examples=1", "--examples=examples.toml"]).fails(1, "examples.toml: ");
}

#[test]
fn what_holds_captured_traffic_is_for_its_owner_alone() {
    let bench = Bench::new(&echoing(), &fixtures::filtering());
    bench.bodies(&["a"]).write("shared.toml", "");
    let mode = |name: &str| std::fs::metadata(bench.path(name)).unwrap().permissions().mode() & 0o777;
    std::fs::set_permissions(bench.path("shared.toml"), Permissions::from_mode(0o664)).unwrap();
    for (examples, expected) in [("examples.toml", 0o600), ("shared.toml", 0o664)] {
        let examples_flag = format!("--examples={examples}");
        let ended = bench.diff(&["--html=diff.html", "--save-examples=1", &examples_flag]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!((mode("diff.html"), mode(examples)), (0o600, expected));
    }
    bench.write("elsewhere", "kept");
    std::os::unix::fs::symlink("elsewhere", bench.path("link.html")).unwrap();
    bench.diff(&["--html=link.html"]).fails(1, "writing link.html: it is no plain file");
    assert_eq!(std::fs::read_to_string(bench.path("elsewhere")).unwrap(), "kept");
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
