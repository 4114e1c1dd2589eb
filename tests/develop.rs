//! `plugin dev` builds and swaps a plugin whenever its source is saved; a broken source changes nothing.
//!
//! Scripts stand in for cargo and rustc, so that the machine's targets do not matter: they "build" by returning the
//! component in the folder. All the rest is real.

use crate::fixtures::{self, custom_section};
use crate::harness::{
    DOWN, Host, LONG_PATIENCE, Process, Setup, UP, assert_balanced, bytes, root, tidegate, wait_up_to, write_program,
};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Stands in for cargo; the build fails if the source contains `broken`.
const CARGO: &str = r#"#!/bin/sh
case $1 in
metadata)
    target='{"crate_types":["cdylib"]}'
    package="{\"name\":\"x\",\"manifest_path\":\"$PWD/Cargo.toml\",\"targets\":[$target],\"dependencies\":[]}"
    echo "{\"packages\":[$package],\"workspace_root\":\"$PWD\"}"
    ;;
build)
    if grep -q broken src/lib.rs; then
        echo 'error: src/lib.rs is broken' >&2
        exit 101
    fi
    echo "{\"manifest_path\":\"$PWD/Cargo.toml\",\"filenames\":[\"$PWD/src/component.wasm\"]}"
    ;;
esac
"#;

/// Stands in for rustc, which is asked for the directory of the target's standard library before a build.
const RUSTC: &str = "#!/bin/sh\npwd\n";
/// Stands in for a rustc without the target.
const RUSTC_WITHOUT: &str = "#!/bin/sh\necho /nowhere/lib\n";

/// The folder of a guest named `x`.
struct Folder {
    directory: tempfile::TempDir,
}

impl Folder {
    fn new(component: &[u8], examples: &str) -> Self {
        let folder = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(folder.path().join("src")).unwrap();
        folder.tool("cargo", CARGO);
        folder.tool("rustc", RUSTC);
        folder.save("Cargo.toml", b"");
        folder.save("src/lib.rs", b"");
        folder.save("src/component.wasm", component);
        folder.save("examples.toml", examples.as_bytes());
        folder
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("x")
    }

    /// Writes a script beside the folder, which stands in for the program of that name.
    fn tool(&self, name: &str, script: &str) {
        write_program(&self.directory.path().join(name), script);
    }

    /// Writes a file as editors do: under another name, then renamed.
    fn save(&self, file: &str, content: &[u8]) {
        let temporary = self.directory.path().join("temporary");
        std::fs::write(&temporary, content).unwrap();
        std::fs::rename(temporary, self.path().join(file)).unwrap();
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = tidegate();
        command.args(["plugin", subcommand]).arg(self.path());
        command.env("CARGO", self.directory.path().join("cargo")).env("RUSTC", self.directory.path().join("rustc"));
        command.env("XDG_CACHE_HOME", self.directory.path().join("cache"));
        command
    }
}

/// One example: the answer to `AbC`.
fn example(answer: &str) -> String {
    format!("[[transform]]\nname = 'letters'\ninput.body = 'AbC'\nexpect.body = '{answer}'\n")
}

/// Waits for a line of stdout that contains all of these words.
#[track_caller]
fn wait_for_line(process: &Process, words: &[&str]) -> String {
    wait_up_to(LONG_PATIENCE, &format!("{words:?}\n{}", process.stderr()), || {
        let stdout = process.stdout();
        stdout.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
    })
}

#[track_caller]
fn serves(host: &Host, generation: &str, answer: &str) {
    let served = host.get("/x/?param=AbC");
    assert_eq!((served.text(), served.header("tidegate-generation")), (answer, generation));
}

#[test]
fn a_save_goes_live_in_a_running_host_unless_it_is_broken() {
    let host = Setup::new().plugin("x", &bytes("upcase")).start();
    let folder = Folder::new(&bytes("downcase"), &example(DOWN));
    let address = host.surface("admin").trim_start_matches("http://").to_owned();
    let mut dev = Process::start(folder.command("dev").args(["--host", &address]));
    let line = wait_for_line(&dev, &["built ", " ms, tested 1/1, live as generation 2, "]);
    assert!(line.ends_with(" ms"), "{line}");
    serves(&host, "2", DOWN);

    folder.save("examples.toml", example("abc").as_bytes());
    wait_for_line(&dev, &["built ", "tested 0/1, not swapped", "live as generation 2"]);
    assert!(dev.stderr().contains("FAILED  letters\n   body differs at byte 0\n"), "{}", dev.stderr());
    folder.save("src/lib.rs", b"broken");
    wait_for_line(&dev, &["build failed after ", "cargo's message above says why", "live as generation 2"]);
    assert!(dev.stderr().contains("error: src/lib.rs is broken"), "{}", dev.stderr());
    folder.save("src/component.wasm", &fixtures::wrong_world());
    folder.save("src/lib.rs", b"mended");
    wait_for_line(&dev, &["built ", "not tested", "is refused: type-check: exports neither", "generation 2"]);
    serves(&host, "2", DOWN);

    folder.save("examples.toml", example(UP).as_bytes());
    folder.save("src/component.wasm", &bytes("upcase"));
    wait_for_line(&dev, &["tested 1/1, live as generation 3, "]);
    serves(&host, "3", UP);
    assert_eq!(host.stop(), 0);
    folder.save("examples.toml", format!("{}# other bytes\n", example(UP)).as_bytes());
    wait_for_line(&dev, &["tested 1/1, not swapped: no host answers at http://", "generation 3"]);
    dev.signal("INT");
    assert_eq!(dev.wait().code(), Some(0));
}

#[test]
fn a_host_of_its_own_starts_with_the_first_that_is_sound() {
    let folder = Folder::new(&bytes("downcase"), &example(DOWN));
    folder.save("src/lib.rs", b"broken");
    let surfaces = ["--http=127.0.0.1:0", "--admin=none", "--publish=none", "--frontend=none"];
    let mut dev = Process::start(folder.command("dev").arg("--").args(surfaces));
    wait_for_line(&dev, &["build failed after ", "; nothing of it is live yet"]);
    folder.save("src/lib.rs", b"");
    wait_for_line(&dev, &["tested 1/1, live as generation 1, "]);
    let stdout = dev.stdout();
    let place = stdout.lines().find_map(|line| line.strip_prefix("http ")).expect("where HTTP is");
    let get = || crate::harness::Client::at(place).request("GET", "/x/?param=AbC", None).unwrap();
    assert_eq!(get().text(), DOWN);
    folder.save("examples.toml", example(UP).as_bytes());
    folder.save("src/component.wasm", &bytes("upcase"));
    wait_for_line(&dev, &["tested 1/1, live as generation 2, "]);
    assert_eq!(get().text(), UP);
    dev.signal("INT");
    assert_eq!(dev.wait().code(), Some(0), "{}", dev.stderr());
    assert_balanced(&dev.stderr());
}

#[test]
fn a_handler_is_developed_as_any_plugin() {
    let handler = std::fs::read(root().join("tests/fixtures/handler.wasm")).unwrap();
    let example = |body: &str| format!("[[http-handler]]\nname = 'greets'\ninput = {{}}\nexpect.body = '{body}'\n");
    let folder = Folder::new(&handler, &example("hello"));
    let surfaces = ["--http=127.0.0.1:0", "--admin=none", "--publish=none", "--frontend=none"];
    let mut dev = Process::start(folder.command("dev").arg("--").args(surfaces));
    wait_for_line(&dev, &["tested 1/1, live as generation 1, "]);
    let stdout = dev.stdout();
    let place = stdout.lines().find_map(|line| line.strip_prefix("http ")).expect("where HTTP is");
    let get = |path: &str| crate::harness::Client::at(place).request("GET", path, None).unwrap();
    assert_eq!((get("/x/").text(), get("/x/status?404").status), ("hello", 404));
    folder.save("examples.toml", example("good day").as_bytes());
    wait_for_line(&dev, &["tested 0/1, not swapped", "live as generation 1"]);
    assert!(dev.stderr().contains("FAILED  greets\n   body differs at byte 0\n"), "{}", dev.stderr());
    folder.save("src/component.wasm", &bytes("downcase"));
    wait_for_line(&dev, &["tested 0/1, not swapped", "live as generation 1"]);
    wait_up_to(LONG_PATIENCE, "the role that it lacks", || {
        dev.stderr().contains("got      the plugin has no http-handler role").then_some(())
    });
    folder.save("examples.toml", format!("{}# other bytes\n", example("hello")).as_bytes());
    folder.save("src/component.wasm", &handler);
    wait_for_line(&dev, &["tested 1/1, live as generation 2, "]);
    assert_eq!(get("/x/").header("tidegate-generation"), "2");
    dev.signal("INT");
    assert_eq!(dev.wait().code(), Some(0), "{}", dev.stderr());
    assert_balanced(&dev.stderr());
}

/// If the target's standard library is missing, that is reported instead of cargo's error.
#[test]
fn a_missing_target_is_named_with_its_remedy() {
    let folder = Folder::new(&bytes("downcase"), &example(DOWN));
    folder.save("src/lib.rs", b"broken");
    folder.tool("rustc", RUSTC_WITHOUT);
    let mut build = Process::start(&mut folder.command("build"));
    assert_eq!(build.wait().code(), Some(1));
    let missing = "x cannot be built for wasm32-unknown-unknown, whose standard library is missing: ";
    let remedy = build.stderr().split_once(missing).map(|(_, remedy)| remedy.to_owned());
    // A whole command; which one depends on the system.
    assert!(remedy.is_some_and(|remedy| remedy.contains("run `")), "{}", build.stderr());
    // Nothing was compiled before that.
    assert!(!build.stderr().contains("is broken"), "{}", build.stderr());
    // A build of the standard library from source does not need it.
    let mut build = Process::start(folder.command("build").env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort"));
    assert_eq!(build.wait().code(), Some(1));
    assert!(build.stderr().contains("cargo's message above says why"), "{}", build.stderr());
}

#[test]
fn what_cannot_be_developed_is_refused() {
    let folder = Folder::new(&bytes("downcase"), &example(DOWN));
    let refused = |arguments: &[&str], code: i32, words: &str| {
        let mut dev = Process::start(folder.command("dev").args(arguments));
        assert_eq!(dev.wait().code(), Some(code), "{}", dev.stderr());
        assert!(dev.stderr().contains(words), "{words} is not in: {}", dev.stderr());
    };
    refused(&["--", "--htpp=1"], 2, "--htpp");
    refused(&["--name=Up"], 1, "`Up`");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let http = format!("--http={taken}");
    refused(
        &["--", &http, "--admin=none", "--publish=none"],
        1,
        &format!("error: binding http to {taken}: address in use"),
    );
    let mut nowhere = Process::start(tidegate().args(["plugin", "dev", "nowhere"]));
    assert_eq!(nowhere.wait().code(), Some(1));
    assert!(nowhere.stderr().contains("nowhere is no folder"), "{}", nowhere.stderr());
}

#[test]
fn a_watched_test_runs_again_when_the_component_or_the_examples_change() {
    let folder = tempfile::tempdir().unwrap();
    let (file, examples) = (folder.path().join("x.wasm"), folder.path().join("own.toml"));
    let replace = |path: &Path, content: &[u8]| {
        let temporary = folder.path().join("temporary");
        std::fs::write(&temporary, content).unwrap();
        std::fs::rename(temporary, path).unwrap();
    };
    replace(&file, &bytes("downcase"));
    replace(&examples, example(DOWN).as_bytes());
    let mut command = tidegate();
    command.args(["plugin", "test", "--watch"]).arg(&file).arg("--examples").arg(&examples);
    let mut test = Process::start(&mut command);
    wait_for_line(&test, &["1 passed, 0 failed"]);
    replace(&file, &bytes("upcase"));
    wait_for_line(&test, &["0 passed, 1 failed"]);
    for differing in
        [format!("   expected \"{DOWN}\"\n             ^^^ "), format!("   got      \"{UP}\"\n             ^^^ ")]
    {
        assert!(test.stdout().contains(&differing), "{}", test.stdout());
    }
    replace(&examples, format!("{}{}", example(UP), example(UP)).as_bytes());
    wait_for_line(&test, &["2 passed, 0 failed"]);
    replace(&file, b"garbage");
    test.wait_for_line_up_to(LONG_PATIENCE, &["error: ", "x.wasm is refused: compile: neither"]);
    test.signal("INT");
    assert_eq!(test.wait().code(), Some(0), "{}", test.stderr());
}

#[test]
fn a_folder_is_built_before_it_is_tested() {
    let own = custom_section("tidegate:examples", example("abc").as_bytes());
    let folder = Folder::new(&[&bytes("downcase")[..], &own].concat(), &example(DOWN));
    let mut test = Process::start(&mut folder.command("test"));
    assert_eq!(test.wait().code(), Some(0), "{}", test.stderr());
    assert_eq!(test.stdout(), "ok      letters\n1 passed, 0 failed\n");
    // `plugin dev` leaves no files beside the folder.
    assert!(!folder.directory.path().join("x.wasm").exists());
}
