//! `plugin new` makes a whole folder with one command, and overwrites nothing without a confirmation.

use crate::harness::{Process, tidegate};
use std::path::Path;
use std::process::Command;

/// The files that `plugin new` writes for each language, beside those of all languages.
const FILES: [(&str, &[&str]); 5] = [
    ("rust", &["Cargo.toml", "build.rs", "src/lib.rs", "src/memory.rs", "src/memory/growth.rs", "src/panic_text.rs"]),
    ("python", &["app.py", "requirements.txt", "pyproject.toml"]),
    ("javascript", &["app.js", "package.json", "package-lock.json", "jsconfig.json"]),
    ("typescript", &["app.ts", "package.json", "package-lock.json", "tsconfig.json"]),
    ("c", &["app.c", "Makefile"]),
];
const OF_ALL: [&str; 5] =
    ["README.md", ".gitignore", "examples.toml", "wit/world.wit", "wit/deps/tidegate/processor.wit"];

/// Exit code, stdout and stderr of `plugin new` in a directory, without a terminal.
fn new(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::start(tidegate().current_dir(directory).args(["plugin", "new"]).args(arguments));
    (process.wait().code(), process.stdout(), process.stderr())
}

#[test]
fn one_command_makes_a_whole_folder_in_each_language_and_role() {
    let directory = tempfile::tempdir().unwrap();
    for (language, files) in FILES {
        for role in ["processor", "reply-policy"] {
            let name = format!("{language}-{role}");
            let (code, stdout, stderr) = new(directory.path(), &[&name, "--lang", language, "--role", role]);
            assert_eq!(code, Some(0), "{stderr}");
            let next = format!("next: tidegate plugin build {name} && tidegate plugin test {name}.wasm\n");
            assert!(stdout.ends_with(&next), "{stdout}");
            for file in files.iter().chain(&OF_ALL) {
                let text = std::fs::read_to_string(directory.path().join(&name).join(file)).unwrap();
                assert!(!text.is_empty() && !text.contains("my-plugin"), "{file}: {text}");
            }
            let read = |file: &str| std::fs::read_to_string(directory.path().join(&name).join(file)).unwrap();
            assert!(read("README.md").contains(&name) && read("README.md").lines().count() <= 10);
            assert!(read("wit/world.wit").contains(&format!("tidegate:plugin/{role}-plugin@0.2.0;")), "{name}");
            assert!(read("examples.toml").contains(&format!("[[{role}]]")), "{name}");
        }
    }
}

#[test]
fn a_handler_of_the_standard_is_made_in_rust() {
    let directory = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = new(directory.path(), &["greet", "--lang=rust", "--role=http-handler"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.ends_with("next: tidegate plugin build greet && tidegate plugin test greet.wasm\n"), "{stdout}");
    let read = |file: &str| std::fs::read_to_string(directory.path().join("greet").join(file)).unwrap();
    for file in ["README.md", ".gitignore", "Cargo.toml", "src/lib.rs", "src/panic_text.rs", "examples.toml"] {
        assert!(!read(file).is_empty() && !read(file).contains("my-plugin"), "{file}: {}", read(file));
    }
    assert!(read("examples.toml").contains("[[http-handler]]") && read("Cargo.toml").contains("wasip2"));
    assert!(!directory.path().join("greet/wit").exists(), "the contract has no handlers");
    let (code, _, stderr) = new(directory.path(), &["other", "--lang=c", "--role=http-handler"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--role http-handler is for --lang rust"), "{stderr}");
    assert!(!directory.path().join("other").exists());
}

/// The role of the version before is nothing to begin with, and what is in its place is said.
#[test]
fn a_transform_is_not_made_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = new(directory.path(), &["old", "--lang=c", "--role=transform"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(["version 0.1.0", "take --role processor"].iter().all(|words| stderr.contains(words)), "{stderr}");
    assert!(!directory.path().join("old").exists());
}

#[test]
fn a_name_that_no_plugin_can_have_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (["No", "--lang=c"], ["`No`", "[a-z0-9]"]),
        (["1st", "--lang=rust"], ["`1st`", "put a letter before it"]),
        (["x", "--lang=cobol"], ["cobol", "javascript"]),
    ] {
        let (code, _, stderr) = new(directory.path(), &arguments);
        assert_ne!(code, Some(0));
        assert!(words.iter().all(|word| stderr.contains(word)), "{stderr}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_overwritten_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("mine/app.py");
    let arguments = ["mine", "--lang", "python"];
    assert_eq!(new(directory.path(), &arguments).0, Some(0));
    std::fs::write(&source, "a week's work").unwrap();

    let (code, stdout, stderr) = new(directory.path(), &arguments);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        ["mine has another app.py already", "--force", "--dir"].iter().all(|word| stderr.contains(word)),
        "{stderr}"
    );
    assert_eq!(std::fs::read_to_string(&source).unwrap(), "a week's work");

    assert_eq!(new(directory.path(), &["mine", "--lang=python", "--dir=other"]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&source).unwrap(), "a week's work");

    // A file that is not in the way stays, and no confirmation is needed.
    let notes = directory.path().join("third/notes.txt");
    std::fs::create_dir(directory.path().join("third")).unwrap();
    std::fs::write(&notes, "kept").unwrap();
    assert_eq!(new(directory.path(), &["third", "--lang=c"]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&notes).unwrap(), "kept");

    assert_eq!(new(directory.path(), &["mine", "--lang", "python", "--force"]).0, Some(0));
    assert!(std::fs::read_to_string(&source).unwrap().contains("class Processor"));
}

/// util-linux's `script` makes the terminal.
#[test]
#[cfg(target_os = "linux")]
fn at_a_terminal_the_author_is_asked() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: no program `script` here, which makes a terminal");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("mine/app.c");
    assert_eq!(new(directory.path(), &["mine", "--lang=c"]).0, Some(0));
    for (answer, overwritten) in [("n", false), ("", false), ("y", true)] {
        std::fs::write(&source, "a week's work").unwrap();
        let binary = env!("CARGO_BIN_EXE_tidegate");
        let asked = format!("echo '{answer}' | script -qec \"'{binary}' plugin new mine --lang c\" /dev/null");
        let output = Command::new("sh").args(["-c", &asked]).current_dir(directory.path()).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("mine has another app.c already. Overwrite? [y/N]"), "{shown}");
        assert_eq!(output.status.success(), overwritten, "{shown}");
        assert_eq!(std::fs::read_to_string(&source).unwrap() != "a week's work", overwritten, "{answer}: {shown}");
    }
}
