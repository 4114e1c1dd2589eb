//! `tidegate worker`: makes any program that reads a message and writes an answer a worker of a host's pool.

use super::keys::Keys;
use super::peer;
use crate::clients::worker::{CommandSettings, Tally, WorkerSettings, Workers};
use crate::config::timeout;
use crate::system::exit_code::{INTERRUPTED, TERMINATED};
use crate::system::output::note;
use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Make any program a worker: it reads a message on stdin and writes the answer on stdout.
///
/// The program is started for each message, with its last frame as stdin; TIDEGATE_FRAME_0 and so on are the frames before
/// it that are text, TIDEGATE_FRAMES is their number. Exit status 0 makes what it wrote the answer; at any other the host
/// gives the message to another worker, or says that it was lost.
///
/// SIGINT and SIGTERM end with every message answered, a second one at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the host's pool has its workers; or dns+tcp://NAME:PORT, and there is a worker for each address of the name
    #[arg(long, value_name = "ENDPOINT", value_parser = peer)]
    connect: String,
    /// The name of the pool
    #[arg(long, value_name = "NAME", value_parser = service)]
    service: String,
    /// Start the program once: it reads one message a line, and answers each with a line
    #[arg(long)]
    lines: bool,
    /// How often each side lets the other hear from it; the host is lost when it is silent for three times as long
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = timeout)]
    heartbeat: Duration,
    /// How long the program may take for an answer before it is killed
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout)]
    deadline: Duration,
    /// How many bytes an answer may have
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    answer_bytes_max: u32,
    /// End when the host sends the worker away, as `workers drain` does, rather than come back
    #[arg(long)]
    end_on_disconnect: bool,
    #[command(flatten)]
    keys: Keys,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Works until a signal, or until the host sends the worker away, if that is to end it. Exit code 0, or an error if it
/// could not start or go on.
///
/// # Errors
/// When signals cannot be listened to, there is no such program, or the socket cannot connect.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut words = args.command.into_iter();
    let settings = WorkerSettings {
        endpoint: args.connect,
        service: args.service,
        heartbeat: args.heartbeat,
        end_on_disconnect: args.end_on_disconnect,
        keys: args.keys.into_client_keys(),
        command: CommandSettings {
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            lines: args.lines,
            deadline: args.deadline,
            answer_bytes_max: usize::try_from(args.answer_bytes_max)?,
        },
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work(settings))
}

async fn work(settings: WorkerSettings) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let mut workers = Workers::start(settings)?;
    let mut stopping = false;
    let tally = loop {
        let exit_code = tokio::select! {
            tally = workers.work() => break tally,
            exit_code = signals.next() => exit_code,
        };
        if std::mem::replace(&mut stopping, true) {
            kill(&mut workers, exit_code).await;
        }
        workers.stop();
    };
    let exit_code = tokio::select! {
        () = workers.end() => None,
        exit_code = signals.next() => Some(exit_code),
    };
    if let Some(exit_code) = exit_code {
        kill(&mut workers, exit_code).await;
    }
    let Tally { answered, failed, late, malformed } = tally.map_err(anyhow::Error::msg)?;
    note(format_args!("answered={answered} failed={failed} late={late} malformed={malformed}"));
    Ok(ExitCode::SUCCESS)
}

/// Ends at once. The thread of the worker may wait for a host that does not read.
async fn kill(workers: &mut Workers, exit_code: u8) {
    workers.kill().await;
    std::process::exit(exit_code.into());
}

/// What asks the worker to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next one, and returns the exit code of whoever ends because of it.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }
}

fn service(text: &str) -> Result<String, String> {
    // The name of a pool is that of a plugin.
    let is_name = !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
    is_name.then(|| text.to_owned()).ok_or_else(|| "this is no name of a pool, such as `score`".to_owned())
}
