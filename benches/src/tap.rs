//! A libzmq subscriber in its own process that counts the messages it receives.

use anyhow::{Context, Result, bail};
use clap::Args;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::Process;

/// More messages than any measure sends, so that the subscriber loses none.
const RECEIVE_MESSAGES_MAX: i32 = 10_000_000;
/// How long to wait for messages that are on their way.
const SETTLE_MAX: Duration = Duration::from_secs(5);

/// The arguments of the process.
#[derive(Args)]
pub struct Arguments {
    /// The publisher; without it, publishers connect here
    #[arg(long, value_name = "ENDPOINT")]
    connect: Option<String>,
}

/// Runs the process: prints its endpoint, then the number of messages so far for every line that it reads.
pub fn run(arguments: &Arguments) -> Result<()> {
    let context = zmq::Context::new();
    let socket = context.socket(zmq::SUB)?;
    socket.set_rcvhwm(RECEIVE_MESSAGES_MAX)?;
    socket.set_subscribe(b"")?;
    match &arguments.connect {
        Some(endpoint) => socket.connect(endpoint)?,
        None => socket.bind("tcp://127.0.0.1:*")?,
    }
    println!("{}", socket.get_last_endpoint()?.unwrap_or_default());

    static RECEIVED: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(move || -> Result<()> {
        let mut message = zmq::Message::new();
        loop {
            socket.recv(&mut message, 0)?;
            if !message.get_more() {
                RECEIVED.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", RECEIVED.load(Ordering::Relaxed));
    }
    // The parent has closed the pipe: end at once, without waiting for the socket.
    std::process::exit(0)
}

/// A handle of the process.
pub struct Tap {
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub endpoint: String,
    _process: Process,
}

impl Tap {
    /// Starts a subscriber that publishers connect to.
    pub fn bound() -> Result<Self> {
        Self::start(&[])
    }

    /// Starts a subscriber that connects to the publisher.
    pub fn on(endpoint: &str) -> Result<Self> {
        Self::start(&["--connect", endpoint])
    }

    fn start(arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("tap")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the subscriber")?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let process = Process::of(child);
        let (questions, answers) = pipes.context("the subscriber has no pipes")?;
        let mut tap = Self { questions, answers: BufReader::new(answers), endpoint: String::new(), _process: process };
        tap.endpoint = tap.line()?;
        Ok(tap)
    }

    /// The number of messages received so far.
    pub fn count(&mut self) -> Result<u64> {
        writeln!(self.questions)?;
        let line = self.line()?;
        line.parse().with_context(|| format!("the subscriber says {line}"))
    }

    /// The number of messages once at least `least` have been received and no more arrive, or after [`SETTLE_MAX`].
    pub fn settled(&mut self, least: u64) -> Result<u64> {
        let (began, mut count) = (Instant::now(), self.count()?);
        loop {
            sleep(Duration::from_millis(100));
            let now = self.count()?;
            if (now == count && now >= least) || began.elapsed() > SETTLE_MAX {
                return Ok(now);
            }
            count = now;
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the subscriber has ended");
        }
        Ok(line.trim().to_owned())
    }
}
