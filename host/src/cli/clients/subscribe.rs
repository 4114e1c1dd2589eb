//! `tidegate subscribe`: prints what is published, and appends it to a log.

use super::keys::Keys;
use super::peer;
use crate::clients::subscriber::{Subscriber, SubscriberSettings};
use crate::system::exit_code::{INTERRUPTED, TERMINATED};
use crate::system::output::note;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Print messages as they are published and append them to a log, one line each.
///
/// SIGHUP opens the log anew (after a rotation); SIGINT and SIGTERM end with every received line written, a
/// second one at once.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Publisher to connect to, or all addresses of a name: dns+tcp://NAME:PORT; repeatable
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:4444", value_parser = peer)]
    connect: Vec<String>,
    /// Only messages whose first frame begins with this; repeatable [default: all messages]
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Only messages whose whole first frame is a TOPIC, where otherwise `oven` gets those of `oven2` too
    #[arg(long, requires = "topic")]
    exact: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Write each message, in the log too, as an object: its time, and its frames as texts, or as {"base64": …} where
    /// the bytes are not UTF-8
    #[arg(long)]
    json: bool,
    /// File to append to
    #[arg(long, value_name = "FILE", default_value = "subscriber.log")]
    log: PathBuf,
    /// Print no messages
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    keys: Keys,
}

/// Runs until a signal, until it has had as many messages as it was to have, or until nobody reads stdout any more. Exit
/// code 0, or an error if it could not start.
///
/// # Errors
/// When signals cannot be listened to, the log cannot be opened, or the socket cannot connect.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = SubscriberSettings {
        endpoints: args.connect,
        topics: args.topic,
        exact: args.exact,
        count: args.count,
        json: args.json,
        log: args.log,
        quiet: args.quiet,
        keys: args.keys.into_client_keys(),
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(subscribe(settings))
}

async fn subscribe(settings: SubscriberSettings) -> anyhow::Result<ExitCode> {
    // Before anything is received: a signal must not cost a line.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;

    let is_exact = settings.exact;
    let waiting = waiting_for(&settings);
    let (subscriber, mut ended) = Subscriber::start(settings)?;
    note(waiting);
    let mut stopping = false;
    let tally = loop {
        let exit_code = tokio::select! {
            tally = &mut ended => break tally?,
            _ = hangup.recv() => {
                subscriber.reopen();
                continue;
            }
            _ = interrupt.recv() => INTERRUPTED,
            _ = terminate.recv() => TERMINATED,
        };
        if stopping {
            // A stalled stdout must not make it immortal.
            std::process::exit(exit_code.into());
        }
        subscriber.stop();
        stopping = true;
    };
    let skipped = if is_exact { format!(" skipped={}", tally.skipped) } else { String::new() };
    note(format_args!("received={} logged={} lost={}{skipped}", tally.received, tally.logged, tally.lost));
    Ok(ExitCode::SUCCESS)
}

/// Says that it waits and for what: a publisher that is not there, or that has nothing to say, looks the same.
fn waiting_for(settings: &SubscriberSettings) -> String {
    let topics: Vec<_> = settings.topics.iter().map(|topic| format!("`{topic}`")).collect();
    let what = match (topics.is_empty(), settings.exact) {
        (true, _) => "all messages".to_owned(),
        (false, true) => format!("messages whose first frame is {}", topics.join(" or ")),
        (false, false) => format!("messages whose first frame begins with {}", topics.join(" or ")),
    };
    let publishers = settings.endpoints.join(" and ");
    format!("waiting for {what} from {publishers}; they are appended to {}", settings.log.display())
}
