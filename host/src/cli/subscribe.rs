//! `tidegate subscribe`: prints what is published, and appends it to a log.

use super::keys::Keys;
use crate::clients::subscriber::{Subscriber, SubscriberSettings};
use crate::messaging::check_peer;
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
    /// Publisher to connect to; repeatable
    #[arg(long, value_name = "ENDPOINT", default_value = "tcp://127.0.0.1:4444", value_parser = peer)]
    connect: Vec<String>,
    /// Only messages whose first frame begins with this; repeatable [default: all messages]
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// File to append to
    #[arg(long, value_name = "FILE", default_value = "subscriber.log")]
    log: PathBuf,
    /// Print no messages
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    keys: Keys,
}

/// Runs until a signal, or until nobody reads stdout any more. Exit code 0, or an error if it could not start.
///
/// # Errors
/// When signals cannot be listened to, the log cannot be opened, or the socket cannot connect.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let settings = SubscriberSettings {
        endpoints: args.connect,
        topics: args.topic,
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

    let (subscriber, mut ended) = Subscriber::start(settings)?;
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
    note(format_args!("received={} logged={} lost={}", tally.received, tally.logged, tally.lost));
    Ok(ExitCode::SUCCESS)
}

fn peer(text: &str) -> Result<String, String> {
    check_peer(text).map(|()| text.to_owned())
}
