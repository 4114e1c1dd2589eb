//! `tidegate plugin diff` tells what a newcomer makes of captured traffic, and how that differs from what another component
//! makes of it.

mod files;
mod told;

use crate::fixtures;
use crate::harness::{LONG_PATIENCE, component, tidegate, wait_up_to};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use tidegate::record::capture::record::{Call, CallRole, Record};
use tidegate::record::capture::{About, CaptureWriter, Channel, PlaceKind};

/// A directory with components and a file of captured traffic.
struct Bench(tempfile::TempDir);

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Bench {
    fn new(old: &[u8], new: &[u8]) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("old.wasm", old);
        bench.write("new.wasm", new);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    /// A file of dead letters, of calls of the plugin `p` with these bodies.
    fn bodies(&self, bodies: &[&str]) -> &Self {
        let letters = (1..).zip(bodies).map(|(number, body)| letter("p", number, message(body)));
        self.write("letters", letters.collect::<String>())
    }

    /// A capture of calls of the plugin `p` with these bodies.
    fn capture(&self, bodies: &[&str]) -> &Self {
        let about = About { seed: 7, ..About::default() };
        let file = File::create(self.path("letters")).unwrap();
        let mut writer = CaptureWriter::new(file, &about, Arc::default(), 1 << 30).unwrap();
        let channel = Channel { kind: PlaceKind::Flow, name: "f".to_owned(), topic: None };
        for (number, body) in (1..).zip(bodies) {
            let role = CallRole::Processor.into();
            let call =
                Call { plugin: "p".to_owned(), generation: 1, digest: vec![0xab; 32], number, role, ..Call::default() };
            let record = Record { frames: vec![(*body).to_owned().into()], metadata: Vec::new(), call: Some(call) };
            writer.write(&channel, number, &record).unwrap();
        }
        let flow = Record { frames: vec!["a".into()], metadata: Vec::new(), call: None };
        writer.write(&channel, 1, &flow).unwrap();
        writer.finish().unwrap();
        self
    }

    fn diff(&self, arguments: &[&str]) -> Ended {
        self.run(&[&["diff", "old.wasm", "new.wasm", "--on=letters"], arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let output = tidegate().current_dir(&self.0).arg("plugin").args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The report, of a comparison that ends well.
    #[track_caller]
    fn report(&self, arguments: &[&str]) -> Value {
        let ended = self.diff(&[&["--json"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

impl Ended {
    #[track_caller]
    fn fails(&self, code: i32, words: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.contains(words), "{words:?} is not in {self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

fn message(body: &str) -> Value {
    json!({"message": {"topic": "", "metadata": [], "body_base64": BASE64_STANDARD.encode(body)}})
}

/// A line of a file of dead letters.
fn letter(plugin: &str, number: u64, input: Value) -> String {
    let mut letter = json!({
        "id": format!("1-{number}"), "time": "2026-01-02T03:04:05.678Z", "hop": "transform", "route": plugin,
        "reason": "trapped", "error": "the plugin trapped", "plugin": plugin, "generation": 1, "digest": "ab",
        "seed": {"value": 7, "fixed": false}, "number": number,
    });
    letter.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
    format!("{letter}\n")
}

/// The counts that are not 0.
fn counts(report: &Value) -> Value {
    let counts = report["counts"].as_object().unwrap().clone();
    counts.into_iter().filter(|(_, count)| *count != 0).collect::<serde_json::Map<_, _>>().into()
}

/// The groups, each as its name, its inputs and the number of the first.
fn groups(report: &Value) -> Vec<String> {
    let group = |group: &Value| {
        let first = group["examples"][0]["number"].as_u64();
        format!("{}: {}, first {first:?}", group["group"].as_str().unwrap(), group["inputs"])
    };
    report["groups"].as_array().unwrap().iter().map(group).collect()
}

/// Answers with the body, in which a letter at this place becomes another one.
pub fn changing(at: usize, from: char, to: char) -> Vec<u8> {
    let (from, to) = (u32::from(from), u32::from(to));
    fixtures::transform(
        "",
        &format!(
            "(if (i32.eq (i32.load8_u offset={at} (local.get $body)) (i32.const {from}))
                 (then (i32.store8 offset={at} (local.get $body) (i32.const {to}))))
             {}",
            fixtures::returning("(local.get $body)", "(local.get $body_len)")
        ),
    )
}

fn echoing() -> Vec<u8> {
    fixtures::echoing(1 << 20)
}

#[test]
fn a_component_does_not_differ_from_itself() {
    let downcase = std::fs::read(component("downcase")).unwrap();
    let bench = Bench::new(&downcase, &downcase);
    let bodies: Vec<_> = (0..2_000).map(|number| format!("Message {number}")).collect();
    bench.bodies(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
    let report = bench.report(&["--max-diff=0"]);
    assert_eq!(counts(&report), json!({"same": 2_000}));
    assert_eq!((&report["plugin"], &report["compared"], &report["differing"]), (&json!("p"), &json!(2_000), &json!(0)));
    assert_eq!(groups(&report), [""; 0]);
    for side in ["old", "new"] {
        assert_eq!(report[side]["calls"], 2_000, "{report}");
        assert!(report[side]["p99_us"].as_f64() >= report[side]["p50_us"].as_f64(), "{report}");
        assert!(report[side]["memory_bytes"].as_u64() > Some(0), "{report}");
    }
    let text = bench.diff(&[]).stdout;
    assert!(text.starts_with("p: 2000 inputs of letters\n") && text.contains("same       2000    100 %"), "{text}");
}

#[test]
fn one_field_that_differs_is_one_group_with_its_first_inputs() {
    let bench = Bench::new(&echoing(), &changing(5, '7', '8'));
    let bodies: Vec<_> = (0..1_000).map(|number| format!("{{\"n\":{},\"ts\":{number}}}", number % 500)).collect();
    bench.bodies(&bodies.iter().map(String::as_str).collect::<Vec<_>>());
    let report = bench.report(&[]);
    // 7, 70 to 79 and 507, 570 to 579 begin with the digit.
    assert_eq!(counts(&report), json!({"same": 978, "different": 22}));
    assert_eq!(groups(&report), ["body $.n changed: 22, first Some(8)"]);
    let examples = report["groups"][0]["examples"].as_array().unwrap();
    let shown: Vec<_> = examples.iter().map(|example| (&example["number"], &example["old"], &example["new"])).collect();
    let expected = [(json!(8), json!("7"), json!("8")), (json!(71), json!("70"), json!("80"))];
    assert_eq!(shown[..2], expected.each_ref().map(|(number, old, new)| (number, old, new)));
    let frame = examples[0]["input"]["frames_base64"][0].as_str().unwrap();
    assert_eq!(BASE64_STANDARD.decode(frame).unwrap(), b"{\"n\":7,\"ts\":7}");
    assert_eq!(counts(&bench.report(&["--ignore=$.n", "--max-diff=0"])), json!({"same": 1_000}));
    assert_eq!(counts(&bench.report(&["--ignore=$.ts"])), json!({"same": 978, "different": 22}));
    let text = bench.diff(&[]).stdout;
    assert!(text.contains("body $.n changed  22      2.2 %  8      7    8\n"), "{text}");
}

#[test]
fn the_order_of_an_array_counts_unless_it_is_said_not_to() {
    let answer = |text: &str| {
        let data = format!("(data (i32.const 1024) {text:?})");
        fixtures::transform(&data, &fixtures::returning("(i32.const 1024)", &format!("(i32.const {})", text.len())))
    };
    let bench = Bench::new(&answer("{'items':[1,2,3]}".replace('\'', "\"").as_str()), &answer("{\"items\":[3,1,2]}"));
    bench.bodies(&["a"]);
    assert_eq!(groups(&bench.report(&[])), ["body $.items[*] changed: 1, first Some(1)"]);
    assert_eq!(counts(&bench.report(&["--unordered=$.items"])), json!({"same": 1}));
}

#[test]
fn a_trap_on_one_input_and_a_trap_that_is_mended_are_found() {
    let bench = Bench::new(&echoing(), &fixtures::trapping_on(b'T'));
    let mut bodies = vec!["a"; 3_000];
    bodies[1_234] = "T";
    bench.bodies(&bodies);
    let report = bench.report(&["--max-diff=0.1%"]);
    assert_eq!(counts(&report), json!({"same": 2_999, "new_failure": 1}));
    assert_eq!(groups(&report), ["new failure: trapped: 1, first Some(1235)"]);
    bench.write("old.wasm", fixtures::trapping_on(b'T')).write("new.wasm", echoing());
    assert_eq!(groups(&bench.report(&[])), ["failure gone: trapped: 1, first Some(1235)"]);
    bench.write("new.wasm", fixtures::trapping());
    assert_eq!(counts(&bench.report(&[])), json!({"same": 1, "new_failure": 2_999}));
}

#[test]
fn what_is_filtered_in_one_alone_is_told() {
    let bench = Bench::new(&echoing(), &fixtures::filtering());
    bench.bodies(&["a", "b"]);
    assert_eq!(groups(&bench.report(&[])), ["filtered now: 2, first Some(1)"]);
    bench.write("old.wasm", fixtures::filtering()).write("new.wasm", echoing());
    assert_eq!(groups(&bench.report(&[])), ["no longer filtered: 2, first Some(1)"]);
    bench.write("new.wasm", fixtures::filtering());
    assert_eq!(counts(&bench.report(&["--max-diff=0"])), json!({"same": 2}));
}

#[test]
fn chance_and_clocks_make_no_difference_even_in_other_bytes() {
    for plugin in [fixtures::drawing(), fixtures::failing_by_chance_and_time(), fixtures::telling_time()] {
        // The same code, as another component: its own digest would have it draw other numbers.
        let rebuilt = [&plugin[..], &fixtures::custom_section("other", b"x")].concat();
        let bench = Bench::new(&plugin, &rebuilt);
        bench.bodies(&["a"; 50]);
        let report = bench.report(&["--max-diff=0"]);
        assert_eq!(counts(&report), json!({"same": 50}));
        assert_ne!(report["old"]["digest"], report["new"]["digest"]);
    }
    let policy = std::fs::read(component("random-replies")).unwrap();
    let bench = Bench::new(&policy, &[&policy[..], &fixtures::custom_section("other", b"x")].concat());
    let request = |number: u64| {
        let input = json!({"request": {"identity_base64": "YQ==", "metadata": [], "frames_base64": ["eA=="]}});
        letter("p", number, input)
    };
    bench.write("letters", (1..=50).map(request).collect::<String>());
    assert_eq!(counts(&bench.report(&["--max-diff=0"])), json!({"same": 50}));
    // Against one that answers always the same it is not that nothing was drawn.
    bench.write("new.wasm", std::fs::read(component("echo")).unwrap());
    assert!(bench.report(&[])["differing"].as_u64() > Some(0));
}

#[test]
fn a_call_that_takes_too_long_is_a_failure_of_its_component() {
    let bench = Bench::new(&echoing(), &fixtures::looping());
    bench
        .bodies(&["a", "b"])
        .write("tidegate.toml", "[limits]\ncall_deadline_ms = 2000\n[plugins.p.limits]\ncall_deadline_ms = 500\n");
    // A machine that had no time for the loops does not tell what they are.
    let report = wait_up_to(LONG_PATIENCE, "a machine with time", || {
        Some(bench.report(&["--config=tidegate.toml"])).filter(|report| counts(report)["new_failure"] == 2)
    });
    assert_eq!(groups(&report), ["new failure: deadline-exceeded: 2, first Some(1)"]);
    let text = &report["groups"][0]["examples"][0]["new"];
    assert!(text.as_str().unwrap().contains("call_deadline_ms 500"), "{report}");
}

#[test]
fn settings_are_those_of_the_configuration() {
    let bench = Bench::new(&fixtures::telling_setting("k"), &fixtures::telling_setting("other"));
    bench.bodies(&["a"]).write("tidegate.toml", "[plugins.p.settings]\nk = 'v'\nother = 'v'\n");
    assert_eq!(counts(&bench.report(&["--config=tidegate.toml"])), json!({"same": 1}));
}

#[test]
fn components_of_other_versions_of_the_contract_are_compared() {
    let bench = Bench::new(&echoing(), &fixtures::repeating(1));
    bench.bodies(&["a", "b"]);
    assert_eq!(counts(&bench.report(&[])), json!({"same": 2}));
    let frames = json!({"frames": {"metadata": [], "frames_base64": ["YQ==", "", "Yg=="]}});
    bench.write("letters", letter("p", 1, frames));
    assert_eq!(groups(&bench.report(&[])), ["failure gone: rejected: 1, first Some(1)"]);
}
