//! `tidegate replay`: sends again what came in, from a capture or from dead letters.

mod http;
mod outlet;
mod passages;
mod reading;
mod run;
mod tally;
mod through;

use super::clients::keys::Keys;
use super::clients::peer;
use super::output::progress::{Stderr, while_told};
use super::traffic::ChoiceFlags;
use crate::clients::sender::{SenderKind, SenderSettings};
use crate::config::{check_endpoint, timeout};
use crate::messaging::ClientKeys;
use crate::record::dead_letters::LetterSeed;
use crate::record::replay::{Pace, Schedule};
use crate::record::traffic::{TrafficKind, seed_of};
use crate::system::exit_code;
use crate::system::interrupt::Interrupt;
use crate::system::output::{note, print};
use anyhow::{Context, anyhow, bail};
use clap::{ArgGroup, ValueHint};
use http::ByHttp;
use outlet::{ByZeroMq, Outlet};
use reading::Reading;
use run::Run;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use through::{ChosenFlow, Printer, Through};

/// How much slower and faster than it was a replay may be.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Send again what came in, from a capture or dead letters.
///
/// Messages that came in from outside are sent, frame by frame as they were; what went on from one plugin of a chain to the
/// next is left out, and counted. They go with the time between them that they had, or faster, or at a rate. What is late is
/// not made up for by a burst: what comes behind it is put off, and the summary says by how much.
///
/// With --through nothing is sent: a flow of a configuration runs in this process, with its own plugins and the seed of the file, and
/// what comes out and what fails is printed. Without --flow, --route and --policy those go in that came to the flow of that name.
///
/// SIGINT and SIGTERM end it with its summary, a second one at once. Exit code 0 if everything was sent, or went through without a
/// failure; else 1.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("way").required(true).args(["publish", "push", "http", "through"])))]
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
    /// Put each message through a flow of this configuration, in this process, and print what comes out
    #[arg(long, value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    through: Option<PathBuf>,
    /// With --through: the flow [default: the only one, or that of --flow]
    #[arg(long, value_name = "FLOW", requires = "through")]
    name: Option<String>,
    /// Connect to a subscriber that is bound, where --publish binds otherwise
    #[arg(long, conflicts_with_all = ["push", "http", "through"])]
    connect: bool,
    /// Bind for receivers that connect, where --push connects otherwise
    #[arg(long, conflicts_with_all = ["publish", "http", "through"])]
    bind: bool,
    #[command(flatten)]
    keys: Keys,
    /// The file with the token that the host's HTTP surface asks for
    #[arg(long, value_name = "FILE", conflicts_with_all = ["publish", "push", "through"])]
    token_file: Option<PathBuf>,
    /// How many requests of HTTP may be without their answers at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    in_flight: u16,
    /// So many times as fast as it was [default: 1; with --through as fast as it goes]
    #[arg(long, value_name = "FACTOR", value_parser = speed, conflicts_with = "rate")]
    speed: Option<f64>,
    /// So many messages a second, whatever their times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    rate: Option<u32>,
    #[command(flatten)]
    choice: ChoiceFlags,
    /// How long to wait for a receiver, for room, and for each answer or what a flow makes of a message, such as 500ms, 5s or 2m
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout)]
    timeout: Duration,
    /// Print the summary as JSON; with --through each message too, a line each
    #[arg(long)]
    json: bool,
}

/// Where messages go, before anything is opened.
enum Way {
    ZeroMq(SenderSettings),
    Http { url: String, token_file: Option<PathBuf>, in_flight: usize },
    Through { flow: Box<ChosenFlow>, seed: Option<LetterSeed>, printer: Printer },
}

/// Sends everything, and sums up.
///
/// # Errors
/// When it cannot begin, or stdout does not take the summary.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { publish, push, http, through, name, connect, bind, keys, token_file, in_flight, speed, rate, .. } = args;
    let Args { file, choice, timeout, json, .. } = args;
    let (limit, mut choice) = (choice.limit(), choice.choice());
    let pace = match (rate, speed) {
        (Some(rate), _) => Pace::Rate(rate),
        (None, Some(speed)) => Pace::Speed(speed),
        (None, None) if through.is_some() => Pace::AtOnce,
        (None, None) => Pace::Speed(1.0),
    };
    let keys = keys.into_client_keys();
    let way = match through {
        Some(_) if keys.is_some() => bail!("--server-key and --key are for ZeroMQ: nothing is sent with --through"),
        Some(config) => {
            let flow = Box::new(ChosenFlow::of(&config, name, &mut choice)?);
            Way::Through { flow, seed: seed_of(&file)?, printer: Printer::new(json, pace != Pace::AtOnce) }
        }
        None => way((publish, push, http), connect, bind, keys, (token_file, in_flight.into()))?,
    };
    // What is no such file is told before anybody is waited for.
    TrafficKind::of(&file)?;
    let stderr = if matches!(way, Way::Through { .. }) { Stderr::WithLog } else { Stderr::Alone };
    let told = Arc::new(Mutex::new("replaying".to_owned()));
    let run = Run {
        schedule: Schedule::new(pace),
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
    let (tally, lost) = runtime.block_on(while_told(far, stderr, working))?;
    for line in lost.lines() {
        note(format_args!("{name}: {line}"));
    }
    if let Some(why) = &tally.stopped {
        note(format_args!("ended early: {why}"));
    } else if tally.took.is_zero() {
        note(format_args!("{name} has no message that was to be sent: `tidegate capture cat` shows what is in it"));
    }
    print(if json { tally.json()? } else { tally.text() })?;
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
            Self::Through { flow, seed, printer } => Box::new(Through::open(*flow, seed, printer, timeout)?),
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
