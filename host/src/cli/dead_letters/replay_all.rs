//! A replay of many letters, one after another, at a bounded rate, until the end, an interrupt or a fault of all.

use super::progress::{Progress, Tally};
use super::resend::{Destination, begin, resend};
use super::send::{Answered, SendError};
use super::source::Source;
use crate::cli::output::render::one_line;
use crate::cli::plugin::{Admin, encoded, text};
use crate::record::dead_letters::{Letter, Replay, ReplayLock, Summary};
use crate::system::interrupt::Interrupt;
use crate::system::output::print;
use anyhow::{Context, bail};
use serde_json::json;
use std::cell::RefCell;
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One run over letters.
pub(super) struct Run {
    interval: Duration,
    next: Instant,
    json: bool,
    /// The ids that are still to be sent, in the order of their letters.
    ids: Vec<String>,
    tally: Tally,
    progress: Progress,
    interrupt: Interrupt,
}

/// What became of one letter.
enum Step {
    Sent,
    Failed(String),
    /// It failed, and so would all others.
    Hopeless(String),
}

impl Run {
    /// Over these letters, of which those are left out that an earlier replay may have sent.
    ///
    /// # Errors
    /// When interrupts cannot be listened to.
    pub(super) fn new(rate: u32, json: bool, summaries: Vec<Summary>) -> anyhow::Result<Self> {
        let (calls, replies): (Vec<_>, Vec<_>) = summaries.into_iter().partition(Summary::is_call);
        let tally = Tally { letters: calls.len(), replies: replies.len(), ..Tally::default() };
        let interrupt = Interrupt::listen().context("listening to signals")?;
        let (interval, next) = (Duration::from_secs(1) / rate, Instant::now());
        let mut run = Self { interval, next, json, ids: Vec::new(), tally, progress: Progress::new(), interrupt };
        for Summary { id, replay, .. } in calls {
            if replay == Some(Replay::Begun) {
                run.tally.left_out += 1;
                run.progress.line(format_args!(
                    "{0} is left out: a replay ended while it sent this letter, so it may have arrived; \
                     `tidegate dead-letters replay {0}`, with --admin and --again, or with --send, sends it again",
                    one_line(&id)
                ));
            } else {
                run.ids.push(id);
            }
        }
        Ok(run)
    }

    /// Sends the letters of a file, and marks them there.
    ///
    /// # Errors
    /// When the file cannot be read or marked, or another replay is at it.
    pub(super) fn of_file(mut self, source: &Source, destination: &Destination) -> anyhow::Result<ExitCode> {
        let file = &source.file;
        let _alone = match ReplayLock::exclusive(file) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                bail!("letters of {} are being replayed by somebody else: wait for the end of that", file.display())
            }
            locked => locked.with_context(|| format!("locking the directory of {}", file.display()))?,
        };
        let wanted: RefCell<HashSet<String>> = RefCell::new(self.ids.drain(..).collect());
        let mut unmarked = None;
        source.each(
            |id| wanted.borrow().contains(id),
            |letter| {
                // The same letter may stand there twice, if the file was put together.
                if !letter.is_call() || !wanted.borrow_mut().remove(&letter.id) {
                    return;
                }
                let goes_on = self.waits() && {
                    match begin(&letter, file) {
                        Ok(()) => self.step(&letter.id, || of_letter(&letter, destination, file)),
                        Err(error) => {
                            unmarked = Some(error);
                            false
                        }
                    }
                };
                if !goes_on {
                    wanted.borrow_mut().clear();
                }
            },
        )?;
        if let Some(error) = unmarked {
            self.progress.line(self.tally);
            return Err(error).with_context(|| {
                format!(
                    "marking a letter in {}, without which the next replay would send it again; nothing more was sent",
                    file.display()
                )
            });
        }
        self.end()
    }

    /// Has a host make the calls again.
    ///
    /// # Errors
    /// When stdout does not take the result.
    pub(super) fn through_host(mut self, host: &Admin) -> anyhow::Result<ExitCode> {
        for id in std::mem::take(&mut self.ids) {
            if !self.waits() || !self.step(&id, || by_host(host, &id)) {
                break;
            }
        }
        self.end()
    }

    /// Waits for the turn of the next letter; false if the user wants an end.
    fn waits(&mut self) -> bool {
        let now = Instant::now();
        let wait = self.next.saturating_duration_since(now);
        self.next = self.next.max(now) + self.interval;
        !self.interrupt.comes_within(wait)
    }

    /// Does one letter; false if that is the end.
    fn step(&mut self, id: &str, send: impl FnOnce() -> Step) -> bool {
        let step = send();
        match &step {
            Step::Sent => self.tally.sent += 1,
            Step::Failed(why) | Step::Hopeless(why) => {
                self.tally.failed += 1;
                self.progress.line(format_args!("{}: {}", one_line(id), one_line(why)));
            }
        }
        self.progress.show(&self.tally);
        !matches!(step, Step::Hopeless(_))
    }

    fn end(mut self) -> anyhow::Result<ExitCode> {
        let tally = self.tally;
        self.progress.line(tally);
        if tally.replies > 0 {
            let replies = tally.replies;
            self.progress.line(format_args!("{replies} more are letters of replies, which have no call to make again"));
        }
        if self.json {
            let Tally { letters, sent, failed, left_out, replies } = tally;
            let not_tried = tally.not_tried();
            let result = json!({"letters": letters, "sent": sent, "failed": failed, "left_out": left_out,
                "not_tried": not_tried, "replies": replies});
            print(result.to_string() + "\n")?;
        }
        Ok(if tally.sent == tally.letters { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn of_letter(letter: &Letter, destination: &Destination, file: &Path) -> Step {
    match resend(letter, destination, file) {
        Ok(Answered { arrived: true, .. }) => Step::Sent,
        Ok(Answered { hopeless: Some(why), .. }) => Step::Hopeless(why),
        Ok(Answered { outcome, .. }) => Step::Failed(outcome.text.trim_end().replace('\n', "; ")),
        Err(error @ SendError::Unfit(_)) => Step::Failed(error.to_string()),
        Err(error @ SendError::Unsent(_)) => Step::Hopeless(error.to_string()),
        Err(error @ SendError::Unknown(_)) => Step::Hopeless(format!("it may have arrived: {error}")),
    }
}

fn by_host(host: &Admin, id: &str) -> Step {
    match host.ask("POST", &format!("/dead-letters/{}/replay", encoded(id)), &[]) {
        Ok((true, _)) => Step::Sent,
        Ok((false, problem)) => {
            let detail = text(&problem, "detail").to_owned();
            let hopeless =
                problem.get("status").is_some_and(|status| [401, 403].contains(&status.as_u64().unwrap_or(0)));
            if hopeless { Step::Hopeless(detail) } else { Step::Failed(detail) }
        }
        Err(error) => Step::Hopeless(format!("{error:#}")),
    }
}
