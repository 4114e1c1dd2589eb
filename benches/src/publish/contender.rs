//! Pairs of a publisher and a subscriber, each in its own process.

use crate::peer::{Collector, Feeder, MESSAGE_BYTES, Process};
use crate::python;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub const SUBSCRIBE: &str = "libzmq to tidegate subscribe, log";
const RAW: &str = "libzmq to libzmq, counted";
const PYZMQ_PUBLISHER: &str = "pyzmq to libzmq, counted";
const PYZMQ_SUBSCRIBER: &str = "libzmq to the demo in pyzmq, log";

/// The size of a log line: `2026-01-02T03:04:05.678Z `, the message, and a newline.
const LINE_BYTES: u64 = 25 + MESSAGE_BYTES as u64 + 1;
/// A log that has not grown for this long will never be complete.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(2);

pub struct Contender {
    pub name: &'static str,
    publisher: Option<PathBuf>,
    subscriber: Subscriber,
}

enum Subscriber {
    Counting,
    /// This host.
    Host(PathBuf),
    /// This Python.
    Demo(PathBuf),
}

/// The time that a turn took, and the number of messages that are missing in the log, if there is a log.
pub struct Carried {
    pub seconds: f64,
    pub lost: Option<u64>,
}

/// The contenders that can take part, and the others with the reason.
pub fn all(host: &Path, python: &Path) -> (Vec<Contender>, Vec<String>) {
    let of = |name, publisher, subscriber| Contender { name, publisher, subscriber };
    let mut contenders =
        vec![of(RAW, None, Subscriber::Counting), of(SUBSCRIBE, None, Subscriber::Host(host.to_owned()))];
    match python::check(python, "zmq") {
        Ok(()) => {
            contenders.push(of(PYZMQ_PUBLISHER, Some(python.to_owned()), Subscriber::Counting));
            contenders.push(of(PYZMQ_SUBSCRIBER, None, Subscriber::Demo(python.to_owned())));
            (contenders, Vec::new())
        }
        Err(reason) => (contenders, vec![format!("pyzmq: {reason}")]),
    }
}

impl Contender {
    pub fn carry(&self, messages: u64) -> Result<Carried> {
        let directory = tempfile::tempdir().context("making a directory")?;
        let log = directory.path().join("subscriber.log");
        let mut publisher = match &self.publisher {
            Some(python) => Process::start(python::script(python, "pyzmq_publish.py").arg(messages.to_string()))?,
            None => Process::peer(Feeder::arguments(messages))?,
        };
        let endpoint = publisher.wait_for("ready")?;
        let mut subscriber = match &self.subscriber {
            Subscriber::Counting => Process::peer(Collector::arguments(&endpoint, messages))?,
            Subscriber::Host(binary) => {
                let mut command = Command::new(std::path::absolute(binary)?);
                command.args(["subscribe", "--quiet", "--connect", &endpoint, "--log"]).arg(&log).stderr(Stdio::null());
                Process::start(&mut command)?
            }
            Subscriber::Demo(python) => {
                Process::start(python::script(python, "pyzmq_subscribe.py").arg(&endpoint).arg(&log))?
            }
        };
        publisher.wait_for("begin")?;
        let began = Instant::now();
        match self.subscriber {
            Subscriber::Counting => drop(subscriber.wait_for("end")?),
            _ => wait_for_size(&log, messages * LINE_BYTES)?,
        }
        let seconds = began.elapsed().as_secs_f64();
        drop((publisher, subscriber));
        let lost = match self.subscriber {
            Subscriber::Host(_) => Some(missing(&log, messages)?),
            _ => None,
        };
        Ok(Carried { seconds, lost })
    }
}

fn wait_for_size(log: &Path, bytes: u64) -> Result<()> {
    let (mut size, mut grown) = (0, Instant::now());
    while size < bytes {
        std::thread::sleep(LOOK);
        let now = std::fs::metadata(log).map_or(0, |metadata| metadata.len());
        if now > size {
            (size, grown) = (now, Instant::now());
        }
        ensure!(grown.elapsed() < PATIENCE, "the log has {size} bytes of {bytes}, and grows no more");
    }
    Ok(())
}

/// How many of the numbered messages are not in the log at their place.
fn missing(log: &Path, messages: u64) -> Result<u64> {
    let mut lines = BufReader::new(std::fs::File::open(log)?);
    let (mut line, mut expected) = (Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        let number = line.get(25..35).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
        if line.len() as u64 == LINE_BYTES && number == Some(expected) {
            expected += 1;
        }
        line.clear();
    }
    Ok(messages - expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_not_there_is_missed() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("log");
        let line = |number: u64| format!("2026-01-02T03:04:05.678Z {number:010}{:.>54}\n", "");
        std::fs::write(&log, line(0) + &line(1)).expect("a file");
        assert_eq!(missing(&log, 2).expect("readable"), 0);
        assert_eq!(missing(&log, 3).expect("readable"), 1);
        std::fs::write(&log, line(0) + &line(2)).expect("a file");
        assert_eq!(missing(&log, 3).expect("readable"), 2);
    }
}
