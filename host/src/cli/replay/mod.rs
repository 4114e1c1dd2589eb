//! `tidegate replay`: sends again what came in, from a capture or from dead letters.

mod http;
mod outlet;
mod reading;
mod run;
mod tally;

use super::clients::keys::Keys;
use super::clients::peer;
use super::output::progress::{Stderr, while_told};
use super::traffic::ChoiceFlags;
use crate::clients::sender::{SenderKind, SenderSettings};
use crate::config::{check_endpoint, timeout};
use crate::messaging::ClientKeys;
use crate::record::replay::{Pace, Schedule};
use crate::record::traffic::TrafficKind;
use crate::system::exit_code;
use crate::system::interrupt::Interrupt;
use crate::system::output::{note, print};
use anyhow::{Context, anyhow, bail};
use clap::ArgGroup;
use http::ByHttp;
use outlet::{ByZeroMq, Outlet};
use reading::Reading;
use run::Run;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How much slower and faster than it was a replay may be.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Send again what came in, from a capture or dead letters.
///
/// Messages that came in from outside are sent, frame by frame as they were; what went on from one plugin of a chain to the
/// next is left out, and counted. They go with the time between them that they had, or faster, or at a rate. What is late is
/// not made up for by a burst: what comes behind it is put off, and the summary says by how much.
///
/// SIGINT and SIGTERM end it with its summary, a second one at once. Exit code 0 if everything was sent, else 1.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("way").required(true).args(["publish", "push", "http"])))]
pub struct Args {
    /// A capture, or a file of dead letters
    file: PathBuf,
    /// Publish at this endpoint, once somebody has subscribed there
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    publish: Option<String>,
    /// Push to the receiver at this endpoint, and wait where it has no room
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    push: Option<String>,
    /// Post each message to its route at this host, or everything to this URL if it has a path
    #[arg(long, value_name = "URL")]
    http: Option<String>,
    /// Connect to a subscriber that is bound, where --publish binds otherwise
    #[arg(long, conflicts_with_all = ["push", "http"])]
    connect: bool,
    /// Bind for receivers that connect, where --push connects otherwise
    #[arg(long, conflicts_with_all = ["publish", "http"])]
    bind: bool,
    #[command(flatten)]
    keys: Keys,
    /// The file with the token that the host's HTTP surface asks for
    #[arg(long, value_name = "FILE", conflicts_with_all = ["publish", "push"])]
    token_file: Option<PathBuf>,
    /// How many requests of HTTP may be without their answers at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    in_flight: u16,
    /// So many times as fast as it was
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed, conflicts_with = "rate")]
    speed: f64,
    /// So many messages a second, whatever their times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// How long to wait for a receiver, for room, and for each answer, such as 500ms, 5s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout)]
    timeout: Duration,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// Where messages go, before anything is opened.
enum Way {
    ZeroMq(SenderSettings),
    Http { url: String, token_file: Option<PathBuf>, in_flight: usize },
}

/// Sends everything, and sums up.
///
/// # Errors
/// When it cannot begin, or stdout does not take the summary.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { publish, push, http, connect, bind, keys, token_file, in_flight, speed, rate, .. } = args;
    let Args { file, choice, timeout, json, .. } = args;
    let way = way((publish, push, http), connect, bind, keys.into_client_keys(), (token_file, in_flight.into()))?;
    // What is no such file is told before anybody is waited for.
    TrafficKind::of(&file)?;
    let (limit, choice) = (choice.limit(), choice.choice());
    let told = Arc::new(Mutex::new("replaying".to_owned()));
    let run = Run {
        schedule: Schedule::new(rate.map_or(Pace::Speed(speed), Pace::Rate)),
        limit,
        timeout,
        interrupt: Interrupt::listen().context("listening to signals")?,
        told: Arc::clone(&told),
    };
    let name = file.display().to_string();
    let work = move || {
        let outlet = way.open(timeout)?;
        let reading = Reading::start(file, choice).context("starting a thread that reads")?;
        anyhow::Ok(run.run(reading, outlet))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let far = || told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let working =
        async { tokio::task::spawn_blocking(work).await.map_err(|_| anyhow!("the sending thread has panicked"))? };
    let (tally, lost) = runtime.block_on(while_told(far, Stderr::Alone, working))?;
    for line in lost.lines() {
        note(format_args!("{name}: {line}"));
    }
    if let Some(why) = &tally.stopped {
        note(format_args!("ended early: {why}"));
    } else if tally.took.is_zero() {
        note(format_args!("{name} has no message that was to be sent: `tidegate capture cat` shows what is in it"));
    }
    print(if json { serde_json::to_string_pretty(&tally.json())? + "\n" } else { tally.text() })?;
    Ok(ExitCode::from(if tally.is_whole() { exit_code::SUCCESS } else { exit_code::FAILURE }))
}

fn way(
    (publish, push, http): (Option<String>, Option<String>, Option<String>),
    connect: bool,
    bind: bool,
    keys: Option<ClientKeys>,
    (token_file, in_flight): (Option<PathBuf>, usize),
) -> anyhow::Result<Way> {
    let (kind, endpoint, binds, other) = match (publish, push, http) {
        (Some(endpoint), ..) => (SenderKind::Publish, endpoint, !connect, "give --connect"),
        (_, Some(endpoint), _) => (SenderKind::Push, endpoint, bind, "leave out --bind"),
        (.., url) => {
            if keys.is_some() {
                bail!("--server-key and --key are for ZeroMQ: HTTP takes --token-file");
            }
            return Ok(Way::Http { url: url.unwrap_or_default(), token_file, in_flight });
        }
    };
    if !binds {
        peer(&endpoint).map_err(anyhow::Error::msg)?;
    } else if keys.is_some() {
        bail!("--server-key and --key are of a client that connects: {other}");
    }
    Ok(Way::ZeroMq(SenderSettings { kind, endpoint, binds, keys }))
}

impl Way {
    /// # Errors
    /// When the socket cannot bind or connect, or the URL is none.
    fn open(self, timeout: Duration) -> anyhow::Result<Box<dyn Outlet>> {
        Ok(match self {
            Self::ZeroMq(settings) => Box::new(ByZeroMq::open(&settings).map_err(anyhow::Error::msg)?),
            Self::Http { url, token_file, in_flight } => {
                Box::new(ByHttp::start(&url, token_file.as_deref(), in_flight, timeout)?)
            }
        })
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    check_endpoint(text).map(|()| text.to_owned())
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| SPEEDS.contains(speed));
    speed.ok_or_else(|| format!("`{text}` is not between {} and {}", SPEEDS.start(), SPEEDS.end()))
}
