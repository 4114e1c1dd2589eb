//! The workers of a pool: each works on a message for a fixed time, or only holds it, and gives it back.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

/// So many workers share a thread and a context, which has a bound on sockets.
const WORKERS_PER_THREAD: usize = 100;
/// What workers of Majordomo send and expect in the meantime.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Workers that connect, and answer each message with its body.
#[derive(Args)]
pub struct PoolWorkers {
    #[arg(long)]
    connect: String,
    #[arg(long)]
    workers: usize,
    #[arg(long)]
    protocol: WorkerProtocol,
    /// Keeps a processor busy for each message
    #[arg(long, default_value_t = 0)]
    work_us: u64,
    /// Holds each message, without work, while it takes in others
    #[arg(long, default_value_t = 0)]
    hold_ms: u64,
}

/// What the workers speak.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WorkerProtocol {
    /// Majordomo 0.2, for the service `score`.
    Majordomo,
    /// What REP does, in the frames of a DEALER.
    Rep,
}

impl PoolWorkers {
    pub fn arguments(
        connect: &str,
        workers: usize,
        protocol: WorkerProtocol,
        (work, hold): (Duration, Duration),
    ) -> Vec<String> {
        let protocol = if protocol == WorkerProtocol::Rep { "rep" } else { "majordomo" };
        vec![
            "pool-workers".to_owned(),
            format!("--connect={connect}"),
            format!("--workers={workers}"),
            format!("--protocol={protocol}"),
            format!("--work-us={}", work.as_micros()),
            format!("--hold-ms={}", hold.as_millis()),
        ]
    }

    pub(super) fn run(&self) -> Result<()> {
        ensure!(self.workers > 0, "no workers");
        // Those that work have a thread each, as programs have.
        let per_thread = if self.hold_ms > 0 { WORKERS_PER_THREAD } else { 1 };
        let mut left = self.workers;
        while left > 0 {
            let count = left.min(per_thread);
            left -= count;
            let crowd = Crowd::connect(self, count)?;
            thread::spawn(move || crowd.work());
        }
        super::tell("ready")?;
        super::stay()
    }
}

/// The workers of one thread.
struct Crowd {
    sockets: Vec<zmq::Socket>,
    is_majordomo: bool,
    work: Duration,
    hold: Duration,
    /// Answers that are not due yet, with the worker that gives them.
    held: VecDeque<(Instant, usize, Vec<Vec<u8>>)>,
    heartbeat: Instant,
}

impl Crowd {
    fn connect(options: &PoolWorkers, count: usize) -> Result<Self> {
        let context = zmq::Context::new();
        let is_majordomo = options.protocol == WorkerProtocol::Majordomo;
        let socket = |_| {
            let socket = context.socket(zmq::DEALER)?;
            socket.set_linger(0)?;
            socket.set_sndhwm(0)?;
            socket.connect(&options.connect)?;
            if is_majordomo {
                socket.send_multipart([&b"MDPW02"[..], b"\x01", b"score"], 0)?;
            }
            Ok(socket)
        };
        Ok(Self {
            sockets: (0..count).map(socket).collect::<zmq::Result<_>>()?,
            is_majordomo,
            work: Duration::from_micros(options.work_us),
            hold: Duration::from_millis(options.hold_ms),
            held: VecDeque::new(),
            heartbeat: Instant::now() + HEARTBEAT,
        })
    }

    fn work(mut self) -> Result<()> {
        loop {
            let mut items: Vec<_> = self.sockets.iter().map(|socket| socket.as_poll_item(zmq::POLLIN)).collect();
            let due = self.held.front().map_or(self.heartbeat, |(due, ..)| self.heartbeat.min(*due));
            let wait = due.saturating_duration_since(Instant::now()).as_millis();
            zmq::poll(&mut items, i64::try_from(wait)?)?;
            let readable: Vec<_> = items.iter().map(zmq::PollItem::is_readable).collect();
            for index in (0..readable.len()).filter(|index| readable[*index]) {
                loop {
                    match self.sockets[index].recv_multipart(zmq::DONTWAIT) {
                        Ok(frames) => self.take(index, frames)?,
                        Err(zmq::Error::EAGAIN) => break,
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            self.give()?;
        }
    }

    fn take(&mut self, index: usize, mut frames: Vec<Vec<u8>>) -> Result<()> {
        if self.is_majordomo {
            if frames[1] != b"\x02" {
                return Ok(());
            }
            // A request becomes its own last answer.
            frames[1] = b"\x04".to_vec();
        }
        let until = Instant::now() + self.work;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        if self.hold.is_zero() {
            return Ok(self.sockets[index].send_multipart(frames, 0)?);
        }
        self.held.push_back((until + self.hold, index, frames));
        Ok(())
    }

    fn give(&mut self) -> Result<()> {
        let now = Instant::now();
        while let Some((_, index, frames)) = self.held.pop_front_if(|(due, ..)| *due <= now) {
            self.sockets[index].send_multipart(frames, 0)?;
        }
        if self.is_majordomo && self.heartbeat <= now {
            self.heartbeat = now + HEARTBEAT;
            for socket in &self.sockets {
                socket.send_multipart([&b"MDPW02"[..], b"\x05"], 0)?;
            }
        }
        Ok(())
    }
}
