//! A plugin is loaded only if it passes its own examples.

use crate::fixtures::custom_section;
use crate::harness::{Process, Setup, bytes, component, tidegate};

const MISSING: &str = r#"
[[processor]]
name = "whispers"
input.frames = ["HeLLo"]
expect.messages = [{ frames = ["psst: hello"] }]
"#;

/// The component downcase with these examples instead of its own.
fn promising(examples: &str) -> Vec<u8> {
    [&bytes("downcase")[..], &custom_section("tidegate:examples", examples.as_bytes())].concat()
}

#[test]
fn the_command_tries_with_the_settings_and_bounds_that_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let [component, examples] = ["greet.wasm", "greet.toml"].map(|name| directory.path().join(name));
    std::fs::write(&component, crate::fixtures::telling_setting("greeting")).unwrap();
    std::fs::write(&examples, "[[transform]]\nname = 'greets'\ninput.body = 'x'\nexpect.body = 'good day'").unwrap();
    for (flags, code) in [
        (&["--setting", "greeting=good day"] as &[&str], 0),
        (&["--setting", "greeting=good night"], 1),
        (&["--setting", "greeting=good day", "--limit", "output_bytes_max=2"], 1),
    ] {
        let mut command = tidegate();
        command.args(["plugin", "test"]).arg(&component).arg("--examples").arg(&examples);
        let mut process = Process::start(command.args(flags));
        assert_eq!(process.wait().code(), Some(code), "{flags:?}: {}{}", process.stdout(), process.stderr());
    }
}

#[test]
fn one_miss_refuses_the_load_with_the_difference() {
    let host = Setup::new().committed("downcase").start();
    let refused = host.admin_request("PUT", "/plugins/downcase", Some(&promising(MISSING)));
    let problem = refused.json();
    assert_eq!((refused.status, &problem["stage"]), (422, &"examples".into()), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    for part in ["1 of 1 failed", "`whispers`", "expected \"psst: hello\"", "got      \"lower case of HeLLo is hello\""]
    {
        assert!(detail.contains(part), "{part} is not in {detail}");
    }
    assert_eq!(host.get("/downcase/?param=A").header("tidegate-generation"), "1");
    let unreadable = host.admin_request("PUT", "/plugins/downcase", Some(&promising("[[transform]]\nout = 1")));
    assert!(unreadable.text().contains("unknown field"), "{}", unreadable.text());
    assert_eq!(host.stop(), 0);
}

#[test]
fn the_command_tells_of_each_example() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut process = Process::start(tidegate().args(["plugin", "test"]).args(arguments));
        (process.wait().code(), process.stdout(), process.stderr())
    };
    let downcase = component("downcase").display().to_string();
    let (code, stdout, stderr) = run(&[&downcase]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("ok      mixed case") && stdout.ends_with("5 passed, 0 failed\n"), "{stdout}");

    let own = directory.path().join("own.toml");
    let second = "[[transform]]\ninput.body = { base64 = '/w==' }\nexpect = { error = 'rejected', error_contains = 'not UTF-8' }";
    std::fs::write(&own, format!("{MISSING}{second}")).unwrap();
    let (code, stdout, _) = run(&[&downcase, "--examples", &own.display().to_string()]);
    assert_eq!(code, Some(1));
    // The marks are below the letters that the other text lacks.
    let difference = r#"FAILED  whispers
   frame 0 of message 0 differs at byte 0
   expected "psst: hello"
             ^  ^^
   got      "lower case of HeLLo is hello"
             ^^^^^^^^ ^^^^^^^^^^^^
"#;
    assert!(stdout.contains(difference) && stdout.ends_with("1 passed, 1 failed\n"), "{stdout}");

    let path = directory.path().join("x.wasm");
    std::fs::write(&path, promising(MISSING)).unwrap();
    let mut check = Process::start(tidegate().args(["plugin", "check"]).arg(&path));
    assert_eq!(check.wait().code(), Some(1));
    assert!(check.stderr().contains("examples: 1 of 1 failed"), "{}", check.stderr());
}
