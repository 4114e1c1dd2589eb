//! What a host tells of itself: its stream of changes, put together to what it does now and did at the look before.

use crate::cli::output::render::printable;
use crate::cli::plugin::{Admin, text};
use crate::merge_patch;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Before a host that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// A host tells something each second: of one that says nothing for so long nobody knows how it is.
const SILENCE: Duration = Duration::from_secs(5);
/// Of one event; a thousand plugins take a hundredth.
const EVENT_BYTES_MAX: u64 = 256 << 20;

/// What was seen at one look.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) now: Value,
    /// What was seen at the look before; none at the first of a host.
    pub(super) earlier: Option<Value>,
}

/// The looks at one host, or why there is none.
pub(super) struct Feed(Receiver<Result<Seen, String>>);

impl Feed {
    /// Begins, and goes on in a thread until it is dropped.
    ///
    /// # Errors
    /// When no host answers, or it refuses.
    pub(super) fn start(admin: &Admin, interval: Duration) -> anyhow::Result<Self> {
        // The thread waits where nobody takes what it has, and so does the host, which sends no more then.
        let (tell, told) = sync_channel(0);
        let (first, admin) = (admin.follow("/changes", SILENCE)?, admin.clone());
        thread::spawn(move || {
            let mut reader: Box<dyn Read> = Box::new(first);
            loop {
                let ended = follow(reader, interval, &tell).err().unwrap_or_else(|| "the host has ended".to_owned());
                let mut word = ended;
                reader = loop {
                    if tell.send(Err(std::mem::take(&mut word))).is_err() {
                        return;
                    }
                    thread::sleep(RETRY);
                    match admin.follow("/changes", SILENCE) {
                        Ok(again) => break Box::new(again),
                        Err(error) => word = format!("{error:#}"),
                    }
                };
            }
        });
        Ok(Self(told))
    }

    /// The next look, or why there is none, if either comes in time.
    pub(super) fn next_within(&self, wait: Duration) -> Option<Result<Seen, String>> {
        self.0.recv_timeout(wait).ok()
    }
}

/// Tells what comes from one stream, until that ends or nobody listens any more.
fn follow(stream: impl Read, interval: Duration, tell: &SyncSender<Result<Seen, String>>) -> Result<(), String> {
    let mut events = Events(BufReader::new(stream));
    let mut now = Value::Null;
    let mut earlier: Option<Value> = None;
    while let Some((event, data)) = events.next()? {
        match event.as_str() {
            "overview" => now = data,
            "change" => now = merge_patch::apply(std::mem::take(&mut now), data),
            _ => continue,
        }
        // The host's own clock: what waits on the way is of the moment at which it was seen.
        let is_due = match earlier.as_ref().map(|earlier| seconds_between(earlier, &now)) {
            None => true,
            // A look is never exactly a second after the other.
            Some(passed) => passed.is_none_or(|seconds| seconds + 0.5 >= interval.as_secs_f64()),
        };
        if is_due {
            let before = earlier.replace(now.clone());
            if tell.send(Ok(Seen { now: now.clone(), earlier: before })).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Why a stream cannot be read on.
fn trouble(error: &io::Error) -> String {
    match error.get_ref().and_then(|error| error.downcast_ref::<ureq::Error>()) {
        Some(ureq::Error::Timeout(_)) => format!("the host is silent: it has told nothing for {} s", SILENCE.as_secs()),
        _ => format!("reading what the host tells: {error}"),
    }
}

/// The seconds from one overview to the other, if they are of the same run of a host.
pub(super) fn seconds_between(earlier: &Value, now: &Value) -> Option<f64> {
    let time = |overview: &Value| text(&overview["host"], "time").parse::<jiff::Timestamp>().ok();
    let is_same = earlier["host"]["started"] == now["host"]["started"];
    let passed = time(now)?.duration_since(time(earlier)?).as_secs_f64();
    (is_same && passed > 0.0).then_some(passed)
}

/// The events of a stream.
struct Events<R>(BufReader<R>);

impl<R: Read> Events<R> {
    /// The next event with its data, which are JSON; none at the end of the stream.
    fn next(&mut self) -> Result<Option<(String, Value)>, String> {
        let (mut event, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            let read = (&mut self.0).take(EVENT_BYTES_MAX).read_line(&mut line);
            if read.map_err(|error| trouble(&error))? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\r', '\n']);
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", more)) => data += more,
                _ if line.is_empty() && !data.is_empty() => {
                    let value = serde_json::from_str(&data);
                    let value = value.map_err(|error| format!("what the host tells is no JSON: {error}"))?;
                    return Ok(Some((printable(&event), value)));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn overview(second: u32, calls: u32) -> Value {
        json!({"host": {"started": "s", "time": format!("2026-01-01T00:00:{second:02}.040Z")}, "calls": calls})
    }

    fn told(stream: String, interval_s: u64) -> Vec<(Value, Option<Value>)> {
        let (tell, told) = sync_channel(16);
        follow(stream.as_bytes(), Duration::from_secs(interval_s), &tell).unwrap();
        drop(tell);
        told.iter().map(|seen| seen.map(|Seen { now, earlier }| (now, earlier)).unwrap()).collect()
    }

    #[test]
    fn changes_are_put_together() {
        let change = json!({"host": {"time": "2026-01-01T00:00:01.040Z"}, "calls": 7});
        let stream = format!(
            ": a comment\n\nevent: overview\ndata: {}\n\nevent: other\ndata: 1\n\nevent: change\r\ndata: {change}\r\n\r\n",
            overview(0, 5)
        );
        assert_eq!(told(stream, 1), [(overview(0, 5), None), (overview(1, 7), Some(overview(0, 5)))]);
    }

    #[test]
    fn looks_are_as_far_apart_as_wanted() {
        let events = (0..9).map(|second| format!("event: overview\ndata: {}\n\n", overview(second, second)));
        let seconds: Vec<_> = told(events.collect(), 3).into_iter().map(|(now, _)| now["calls"].clone()).collect();
        assert_eq!(seconds, [0, 3, 6]);
    }

    #[test]
    fn another_run_of_the_host_has_no_earlier_look() {
        let mut other = overview(5, 0);
        other["host"]["started"] = json!("t");
        assert_eq!(seconds_between(&overview(0, 0), &overview(5, 0)), Some(5.0));
        assert_eq!(seconds_between(&overview(0, 0), &other), None);
    }

    #[test]
    fn what_is_no_json_is_told() {
        let (tell, _told) = sync_channel(1);
        let error = follow("data: {\n\n".as_bytes(), Duration::ZERO, &tell).unwrap_err();
        assert!(error.starts_with("what the host tells is no JSON"), "{error}");
    }
}
