//! The subscriber: one thread that owns a SUB socket and a log file, and writes a line per message.

mod command;
mod settings;
mod wanted;

pub use settings::SubscriberSettings;

use super::handshake::Handshakes;
use super::line::Line;
use super::log_file::LogFile;
use crate::messaging::socket;
use crate::system::output::{note, try_print};
use crate::system::supervisor::Supervisor;
use command::SubscriberCommand;
use std::io;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;
use wanted::Wanted;

/// The endpoint at which the thread receives commands: messages of one frame with a single word.
const CONTROL: &str = "inproc://control";

/// How many messages are written before the thread looks for commands again.
const BATCH: usize = 1000;

/// How long it goes on writing what libzmq has received, after it was stopped: publishers that never pause must not
/// delay the end without bound.
const STOP_WAIT_MAX: Duration = Duration::from_secs(5);

/// The subscriber could not start: what failed, on what, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SubscriberError(String);

/// How many messages were received and logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that came in.
    pub received: u64,
    /// Lines that are in the log.
    pub logged: u64,
    /// Lines that could not be written.
    pub lost: u64,
    /// Messages that came in with a first frame that only begins like a topic.
    pub skipped: u64,
}

/// The handle of a running subscriber.
pub struct Subscriber {
    context: zmq::Context,
}

impl Subscriber {
    /// Opens the log, connects, and starts the thread. The receiver gets the tally when the thread has ended: because
    /// of [`Self::stop`], or because nobody reads its stdout any more.
    ///
    /// # Errors
    /// When the log cannot be opened, an endpoint cannot be connected to, or the system gives no thread.
    pub fn start(settings: SubscriberSettings) -> Result<(Self, oneshot::Receiver<Tally>), SubscriberError> {
        let context = zmq::Context::new();
        let (ended, tally) = oneshot::channel();
        let open = {
            let context = context.clone();
            move || Ok((Owned::open(&context, &settings)?, ()))
        };
        let run = |owned: Owned| {
            // This fails if nobody waits for the tally any more.
            let _ = ended.send(owned.run());
            Ok(())
        };
        socket::spawn_owner((&Supervisor::default(), "subscriber"), open, run).map_err(SubscriberError)?;
        Ok((Self { context }, tally))
    }

    /// Makes the thread open its log anew, after a rotation.
    pub fn reopen(&self) {
        self.command(SubscriberCommand::Reopen);
    }

    /// Makes the thread write what it has received, and end.
    pub fn stop(&self) {
        self.command(SubscriberCommand::Stop);
    }

    /// Sends a command through a new socket, which belongs to the calling thread.
    fn command(&self, command: SubscriberCommand) {
        let sent = self.context.socket(zmq::PUSH).map_err(socket::cause).and_then(|control| {
            socket::connect(&control, CONTROL)?;
            socket::send(&control, &[command.word()], 0).map_err(socket::cause)
        });
        if let Err(cause) = sent {
            note(format_args!("commanding the subscriber: {cause}"));
        }
    }
}

/// All that the thread owns.
struct Owned {
    subscriber: zmq::Socket,
    handshakes: Handshakes,
    control: zmq::Socket,
    log: LogFile,
    /// The buffer into which every frame is received, one after the other.
    frame: zmq::Message,
    line: Line,
    wanted: Wanted,
    /// Lines on their way to stdout; none if nobody reads them there.
    printed: Option<Vec<u8>>,
    received: u64,
    skipped: u64,
}

/// Why the thread ends early: whoever read its stdout has gone.
struct ReaderGone;

impl Owned {
    fn open(context: &zmq::Context, settings: &SubscriberSettings) -> Result<Self, String> {
        let log =
            LogFile::open(&settings.log).map_err(|error| format!("opening {}: {error}", settings.log.display()))?;
        let control = context.socket(zmq::PULL).map_err(socket::cause)?;
        socket::bind(&control, CONTROL)?;
        let (subscriber, handshakes) = settings.connect(context)?;
        Ok(Self {
            subscriber,
            handshakes,
            control,
            log,
            frame: zmq::Message::new(),
            line: Line::new(settings.json),
            wanted: Wanted::new(settings),
            printed: (!settings.quiet).then(Vec::new),
            received: 0,
            skipped: 0,
        })
    }

    fn run(mut self) -> Tally {
        let ended = self.write_until_stopped();
        if let Err(error) = ended {
            note(format_args!("receiving messages: {error}"));
        }
        self.log.flush();
        let (logged, lost) = self.log.logged_and_lost();
        Tally { received: self.received, logged, lost, skipped: self.skipped }
    }

    fn write_until_stopped(&mut self) -> zmq::Result<()> {
        while !self.wanted.is_complete() {
            let mut items = [
                self.control.as_poll_item(zmq::POLLIN),
                self.subscriber.as_poll_item(zmq::POLLIN),
                self.handshakes.as_poll_item(),
            ];
            socket::poll(&mut items, self.handshakes.wait())?;
            let [control, messages, _] = items.map(|item| item.is_readable());
            self.handshakes.maintain(&self.subscriber)?;
            if control && self.receive_stop()? {
                return self.write_remaining();
            }
            if messages {
                self.handshakes.heard();
                self.write_batch()?;
                if self.flush().is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn receive_stop(&mut self) -> zmq::Result<bool> {
        let Some(frames) = socket::receive_now(&self.control, 1)? else { return Ok(false) };
        match SubscriberCommand::from_word(&frames.concat()) {
            Some(SubscriberCommand::Stop) => return Ok(true),
            Some(SubscriberCommand::Reopen) => self.log.reopen(),
            None => {}
        }
        Ok(false)
    }

    fn write_remaining(&mut self) -> zmq::Result<()> {
        let deadline = Instant::now() + STOP_WAIT_MAX;
        while self.write_batch()? > 0 && self.flush().is_ok() && Instant::now() < deadline {}
        Ok(())
    }

    /// Returns how many messages there were.
    fn write_batch(&mut self) -> zmq::Result<usize> {
        for count in 0..BATCH {
            if !self.write_next()? {
                return Ok(count);
            }
        }
        Ok(BATCH)
    }

    /// Writes the next message if it is wanted. False if there is none, or no more are wanted.
    fn write_next(&mut self) -> zmq::Result<bool> {
        if self.wanted.is_complete() || !socket::receive_into(&self.subscriber, &mut self.frame)? {
            return Ok(false);
        }
        if !self.wanted.takes(&self.frame) {
            self.skipped += 1;
            while self.frame.get_more() && socket::receive_into(&self.subscriber, &mut self.frame)? {}
            return Ok(true);
        }
        self.received += 1;
        self.line.begin(SystemTime::now());
        self.line.add(&self.frame);
        // A message is there with all its frames, or not yet.
        while self.frame.get_more() && socket::receive_into(&self.subscriber, &mut self.frame)? {
            self.line.add(&self.frame);
        }
        let line = self.line.end();
        self.log.append(line);
        if let Some(printed) = &mut self.printed {
            printed.extend_from_slice(line);
        }
        Ok(true)
    }

    /// Writes the lines so far to the log and to stdout.
    fn flush(&mut self) -> Result<(), ReaderGone> {
        self.log.flush();
        let Some(printed) = &mut self.printed else { return Ok(()) };
        let outcome = try_print(&printed);
        printed.clear();
        match outcome {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone),
            Err(error) => {
                note(format_args!("writing stdout: {error}; from here on lines go to the log only"));
                self.printed = None;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::messaging::publisher::{self, Publisher};
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;

    #[test]
    fn no_line_is_lost_in_a_rotation_or_at_the_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let (log, rotated) = (directory.path().join("s.log"), directory.path().join("s.log.1"));
        let settings = publisher::Settings {
            name: "publish".to_owned(),
            bind: vec![config::Endpoint(Some("tcp://127.0.0.1:*".to_owned()))],
            connect: Vec::new(),
            messaging: config::Messaging { queue_messages_max: 1000, ..config::Messaging::default() },
            publisher: config::Publisher { on_full: config::OnFull::Block, ..config::Publisher::default() },
            ipc: crate::messaging::socket::ipc::IpcAccess { mode: 0o700, group: None },
            curve: None,
            keys: None,
        };
        let publisher = Publisher::bind(settings, Arc::default(), &Supervisor::default()).expect("a free port");
        let (subscriber, tally) = Subscriber::start(SubscriberSettings {
            endpoints: publisher.endpoints().to_vec(),
            topics: vec!["kept".to_owned(), "also".to_owned()],
            exact: false,
            count: None,
            json: false,
            log: log.clone(),
            quiet: true,
            keys: None,
        })
        .expect("started");

        let publish = |topic: &str, n: u32| publisher.publish(topic.to_owned(), n.to_string().into_bytes());
        let mut n = 0;
        while fs::read_to_string(&log).expect("a log").is_empty() {
            n += 1;
            publish("kept", n).expect("a place");
            std::thread::sleep(Duration::from_millis(1));
        }
        fs::rename(&log, &rotated).expect("renamed");
        subscriber.reopen();
        for _ in 0..100 {
            n += 1;
            publish("also kept", n).expect("a place");
            publish("left out", n).expect("a place");
        }
        publisher.close(Duration::from_secs(5));
        while !fs::read_to_string(&log).unwrap_or_default().ends_with(&format!("also kept\t{n}\n")) {
            std::thread::sleep(Duration::from_millis(1));
        }
        subscriber.stop();

        let tally = tally.blocking_recv().expect("ended");
        let lines = fs::read_to_string(&rotated).expect("a log") + &fs::read_to_string(&log).expect("a log");
        let numbers: Vec<u32> = lines
            .lines()
            .map(|line| line.rsplit('\t').next().and_then(|n| n.parse().ok()).expect("a number"))
            .collect();
        assert!(numbers.len() > 100 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
        assert_eq!(tally, Tally { received: tally.received, logged: numbers.len() as u64, lost: 0, skipped: 0 });
        assert_eq!(tally.received, tally.logged);
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_named() {
        let log = PathBuf::from("/nonexistent/s.log");
        let endpoints = vec!["tcp://127.0.0.1:9".to_owned()];
        let (topics, exact, count, json) = Default::default();
        let settings = SubscriberSettings { endpoints, topics, exact, count, json, log, quiet: true, keys: None };
        let error = Subscriber::start(settings).err().expect("no such folder");
        assert!(error.to_string().starts_with("opening /nonexistent/s.log: "), "{error}");
    }
}
