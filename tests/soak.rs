//! Swaps by every way, of good and bad components, under load: every request is answered, and never by an older
//! generation once a newer one was announced.

use crate::client::Answer;
use crate::fixtures;
use crate::harness::{Client, Host, LONG_PATIENCE, Process, Setup, bytes, tidegate, wait_up_to};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CLIENTS_PER_ROUTE: usize = 16;
const ROUTES: [&str; 2] = ["x", "y"];

/// How long the load lasts. The promise is made for 60 seconds.
fn seconds() -> u64 {
    std::env::var("TIDEGATE_SOAK_SECONDS").map_or(5, |text| text.parse().expect("a number of seconds"))
}

/// The way in which a component is handed in.
#[derive(Clone, Copy, Debug)]
enum Way {
    File,
    Admin,
    Cli,
}

/// The kind of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Good,
    Slow,
    Truncated,
    WrongWorld,
    Trapping,
}

/// One route, and the lowest generation that a new request may be answered by.
struct Route<'a> {
    host: &'a Host,
    name: &'static str,
    floor: AtomicU64,
}

impl Route<'_> {
    fn status(&self) -> serde_json::Value {
        self.host.status(self.name)
    }

    /// A component whose digest is new to the host.
    fn component(&self, kind: Kind, number: u64) -> Vec<u8> {
        let base = bytes(if number.is_multiple_of(2) { "downcase" } else { "upcase" });
        let note = fixtures::custom_section("note", format!("{} {number}", self.name).as_bytes());
        match kind {
            Kind::Good => [base, note].concat(),
            Kind::Slow => [fixtures::long_to_compile(10_000), note].concat(),
            Kind::Truncated => base[..base.len() - 1 - number as usize % 1_000].to_vec(),
            Kind::WrongWorld => [fixtures::wrong_world(), note].concat(),
            Kind::Trapping => [fixtures::starting("(unreachable)"), note].concat(),
        }
    }

    /// Records that a generation was announced: from now on every answer must be from it or a later one.
    fn announced(&self, generation: u64) {
        self.floor.fetch_max(generation, Ordering::SeqCst);
    }

    /// Makes one swap, or one attempt that must be refused, and waits for its end.
    fn swap(&self, way: Way, kind: Kind, number: u64) {
        let bytes = self.component(kind, number);
        let good = matches!(kind, Kind::Good | Kind::Slow);
        match way {
            Way::File => self.swap_by_file(&bytes, kind, good),
            Way::Admin => {
                let answer = self.host.admin_request("PUT", &format!("/plugins/{}", self.name), Some(&bytes));
                self.check(&answer, good);
            }
            Way::Cli => {
                let path = self.host.directory.path().join(format!("{}-by-hand.wasm", self.name));
                std::fs::write(&path, &bytes).unwrap();
                let mut load = Process::start(tidegate().args(["plugin", "load", self.name]).arg(&path).args([
                    "--json",
                    "--admin",
                    self.host.surface("admin").trim_start_matches("http://"),
                ]));
                let code = load.wait().code();
                if good {
                    assert_eq!(code, Some(0), "{}", load.stderr());
                    let answer: serde_json::Value = serde_json::from_str(&load.stdout()).expect("JSON");
                    self.announced(answer["generation"].as_u64().expect("a generation"));
                } else {
                    assert_eq!(code, Some(1), "{}", load.stdout());
                    assert_explained(&load.stderr());
                }
            }
        }
    }

    fn check(&self, answer: &Answer, good: bool) {
        if good {
            assert_eq!(answer.status, 200, "{}", answer.text());
            self.announced(answer.json()["generation"].as_u64().expect("a generation"));
        } else {
            assert_eq!(answer.status, 422, "{}", answer.text());
            assert_explained(answer.json()["detail"].as_str().expect("a detail"));
        }
    }

    fn swap_by_file(&self, bytes: &[u8], kind: Kind, good: bool) {
        let path = self.host.plugin_path(self.name);
        let digest = tidegate::plugin::digest(bytes);
        if kind == Kind::Good {
            // First only half of the file, for so long that the host might take it for the whole.
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        if good {
            wait_up_to(LONG_PATIENCE, "the generation of a file", || {
                let status = self.status();
                (status["digest"] == digest).then(|| self.announced(status["generation"].as_u64().unwrap()))
            });
        } else {
            let refused = wait_up_to(LONG_PATIENCE, "the refusal of a file", || {
                let refused = self.status()["last_refused"].clone();
                (refused["digest"] == digest).then_some(refused)
            });
            assert_explained(refused["reason"].as_str().unwrap());
        }
    }
}

/// Asserts that a refusal names its stage and a reason.
#[track_caller]
fn assert_explained(reason: &str) {
    let stages = ["compile: ", "type-check: ", "probe: "];
    assert!(stages.iter().any(|stage| reason.split_once(stage).is_some_and(|(_, why)| why.len() > 20)), "{reason}");
}

#[test]
fn swaps_by_three_ways_lose_and_mix_up_nothing() {
    let time = Duration::from_secs(seconds());
    let swaps = 500 * seconds() / 60 / ROUTES.len() as u64;
    let base = bytes("downcase");
    // On a busy machine the host would shed load of so many clients, or leave a call too little of its deadline, which this
    // test is not about.
    let config =
        "[http]\nqueue_delay_ms_max = 0\n[limits]\ncall_deadline_ms = 20000\n[plugins.y.limits]\ncalls_max = 100";
    let host = Setup::new().plugin("x", &base).plugin("y", &base).config(config).start();
    let routes = ROUTES.map(|name| Route { host: &host, name, floor: AtomicU64::new(1) });
    let (enough, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for route in &routes {
            for _ in 0..CLIENTS_PER_ROUTE {
                scope.spawn(|| {
                    let client = Client::new(&host);
                    while !enough.load(Ordering::Relaxed) {
                        let floor = route.floor.load(Ordering::SeqCst);
                        let answer =
                            client.request("GET", &format!("/{}/?param=AbC", route.name), None).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        let generation: u64 = answer.header("tidegate-generation").parse().expect("a generation");
                        assert!(generation >= floor, "generation {generation} after {floor} was announced");
                        let known = ["lower case of AbC is abc", "upper case of AbC is ABC", "slow AbC"];
                        assert!(known.contains(&answer.text()), "{}", answer.text());
                        answers.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
        let started = Instant::now();
        let swappers: Vec<_> = routes
            .iter()
            .map(|route| {
                scope.spawn(move || {
                    for number in 0..swaps {
                        let way = [Way::File, Way::Admin, Way::Cli][number as usize % 3];
                        // Each kind once in 18 swaps by each way; a file that is slow to compile is one that is good.
                        let kind = match number / 3 % 6 {
                            1 => Kind::Truncated,
                            2 => Kind::WrongWorld,
                            4 => Kind::Trapping,
                            5 if number % 3 != 0 => Kind::Slow,
                            _ => Kind::Good,
                        };
                        route.swap(way, kind, number);
                        std::thread::sleep(
                            (time * (number as u32 + 1) / swaps as u32).saturating_sub(started.elapsed()),
                        );
                    }
                })
            })
            .collect();
        let ended: Vec<_> = swappers.into_iter().map(|swapper| swapper.join()).collect();
        // Set before any assertion, or the clients would go on for ever.
        enough.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok), "a swap went wrong");
    });
    println!(
        "{} swaps, {} answers; generations {:?}",
        swaps * ROUTES.len() as u64,
        answers.load(Ordering::Relaxed),
        routes.map(|route| route.status()["generation"].clone())
    );
    assert_eq!(host.stop(), 0);
}
