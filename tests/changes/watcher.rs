//! Reads a host's stream of changes, and puts them together.

use crate::harness::{Host, LONG_PATIENCE};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};
use tidegate::merge_patch;

/// One who watches, and what it has seen so far.
pub struct Watcher {
    stream: BufReader<Box<dyn Read>>,
    pub seen: Value,
    /// How often it was told everything.
    pub overviews: usize,
}

impl Watcher {
    #[track_caller]
    pub fn of(host: &Host) -> Self {
        Self::try_of(host).unwrap()
    }

    /// As [`Watcher::of`]; the status of a refusal is the error.
    pub fn try_of(host: &Host) -> Result<Self, u16> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
        let agent: ureq::Agent = config.timeout_recv_body(Some(2 * LONG_PATIENCE)).build().into();
        let answer = agent.get(format!("{}/changes", host.surface("admin"))).call().unwrap();
        if answer.status() != 200 {
            return Err(answer.status().as_u16());
        }
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let stream = BufReader::new(Box::new(answer.into_body().into_reader()) as Box<dyn Read>);
        Ok(Self { stream, seen: Value::Null, overviews: 0 })
    }

    /// The name of the next event; none at the end.
    pub fn next(&mut self) -> Option<String> {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", data)) => {
                    let data: Value = serde_json::from_str(data).unwrap();
                    match event.as_str() {
                        "overview" => {
                            self.overviews += 1;
                            self.seen = data;
                        }
                        "change" => self.seen = merge_patch::apply(self.seen.take(), data),
                        other => panic!("an event {other}"),
                    }
                }
                _ if !event.is_empty() => return Some(event),
                _ => {}
            }
        }
    }

    /// Reads on until what was seen is so.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        while !is_so(&self.seen) {
            assert!(began.elapsed() < LONG_PATIENCE + Duration::from_secs(1), "{what} is not seen: {:#}", self.seen);
            self.next().unwrap_or_else(|| panic!("the stream ended before {what}: {:#}", self.seen));
        }
    }
}
