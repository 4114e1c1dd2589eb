//! The command of a worker, which makes answers of messages: one process for each message, or one for all of them.

mod group;
mod lines;
mod once;

use crate::messaging::socket::Frames;
use lines::Program;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// How long a program that answers lines may take to end, once its stdin has.
const END_WAIT: Duration = Duration::from_secs(5);

/// What to run, and its bounds.
#[derive(Clone, Debug)]
pub struct CommandSettings {
    /// The program.
    pub program: OsString,
    /// What it is started with.
    pub arguments: Vec<OsString>,
    /// Whether one process answers line by line, rather than one process each message.
    pub lines: bool,
    /// How long an answer may take.
    pub deadline: Duration,
    /// How long an answer may be.
    pub answer_bytes_max: usize,
}

impl CommandSettings {
    /// Looks the program up, as the system does when it is started.
    ///
    /// # Errors
    /// When there is no file of this name; says so.
    pub(super) fn look_up(&self) -> Result<(), String> {
        let program = Path::new(&self.program);
        let is_path = program.components().count() > 1 || program.has_root();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = if is_path {
            program.exists()
        } else {
            std::env::split_paths(&path).any(|place| place.join(program).is_file())
        };
        if is_there {
            return Ok(());
        }
        let place = if is_path { "there is no such file" } else { "it is not in PATH; give its path" };
        Err(format!("the command {}: {place}", program.display()))
    }
}

/// What the command is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// To get ready for messages.
    Prepare,
    /// To answer a message.
    Answer(Frames),
}

/// What the command has done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Prepared,
    Answered(Vec<u8>),
    /// Why there is no answer; or why the program ended by itself.
    Failed(String),
}

/// Does one job after the other, until there are no more, and tells what came of each.
pub(super) async fn run(settings: CommandSettings, mut jobs: Receiver<Job>, tell: impl Fn(Outcome)) {
    if settings.lines {
        return run_lines(&settings, jobs, tell).await;
    }
    while let Some(job) = jobs.recv().await {
        tell(match job {
            Job::Prepare => Outcome::Prepared,
            Job::Answer(message) => {
                once::answer(&settings, &message).await.map_or_else(Outcome::Failed, Outcome::Answered)
            }
        });
    }
}

/// As [`run`], with one program that is started when it is to get ready.
async fn run_lines(settings: &CommandSettings, mut jobs: Receiver<Job>, tell: impl Fn(Outcome)) {
    let mut running: Option<Program> = None;
    loop {
        let job = match &mut running {
            None => jobs.recv().await,
            Some(program) => tokio::select! {
                job = jobs.recv() => job,
                why = program.ends_or_speaks_unasked() => {
                    running = None;
                    tell(Outcome::Failed(why));
                    continue;
                }
            },
        };
        let outcome = match (job, &mut running) {
            (None, _) => break,
            (Some(Job::Prepare), _) => Program::start(settings).map(|program| {
                running = Some(program);
                Outcome::Prepared
            }),
            (Some(Job::Answer(message)), Some(program)) => program.answer(&message).await.map(Outcome::Answered),
            // It has failed while this was on the way, which was told.
            (Some(Job::Answer(_)), None) => continue,
        };
        if outcome.is_err() {
            running = None;
        }
        tell(outcome.unwrap_or_else(Outcome::Failed));
    }
    if let Some(program) = running {
        // One that does not end is killed.
        let _ = timeout(END_WAIT, program.end()).await;
    }
}
