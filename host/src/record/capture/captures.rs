//! The captures of a host: those that run, and those that have ended; and the ring, which always runs where there is one.

use super::asked::{Asked, Wanted};
use super::files::{Files, Ring};
use super::format::About;
use super::running::{CaptureState, CaptureStatus, Running};
use super::writing::{Writing, guarded};
use crate::config::{self, CAPTURE_STOP_MS_MAX, CAPTURES_LISTED_MAX, CAPTURES_MAX};
use crate::flow::{Recorder, Recording};
use crate::ledger::Ledger;
use crate::system::supervisor::Supervisor;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The name of the hop that counts what is captured.
const HOP: &str = "capture";
/// What the ring is called, and the thread of each capture.
const RING: &str = "ring";
const PART: &str = "capture";

/// Why a capture is not begun.
#[derive(Debug, thiserror::Error)]
pub enum StartCaptureError {
    /// The host captures nothing.
    #[error("this host captures nothing: set capture.directory to another one than `none`")]
    Off,
    /// What is asked for makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// As many run as may.
    #[error("{CAPTURES_MAX} captures run already: stop one, or wait for its end")]
    TooMany,
    /// Its file or its thread cannot be had.
    #[error("{0}")]
    Failed(String),
}

/// Begins and ends captures. Cheap to clone.
#[derive(Clone)]
pub struct Captures(Arc<Shared>);

struct Shared {
    config: config::Capture,
    about: About,
    recording: Recording,
    ledger: Ledger,
    supervisor: Supervisor,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    /// In the order in which they began.
    captures: Vec<Arc<Running>>,
    last_id: u64,
    has_ended: bool,
}

impl Captures {
    /// None yet.
    pub fn new(config: config::Capture, about: About, ledger: Ledger, supervisor: Supervisor) -> Self {
        let (recording, all) = Default::default();
        Self(Arc::new(Shared { config, about, recording, ledger, supervisor, all }))
    }

    /// What the traffic has to be recorded by.
    pub fn recording(&self) -> Recording {
        self.0.recording.clone()
    }

    /// Begins the ring, if the configuration has one. To be done once the host serves: one that cannot start leaves no file.
    ///
    /// # Errors
    /// When its first file cannot be written.
    pub fn start_ring(&self) -> Result<(), StartCaptureError> {
        let config = &self.0.config;
        if config.ring_ms == 0 {
            return Ok(());
        }
        let ring = Ring { lasts: Duration::from_millis(config.ring_ms), bytes_max: config.ring_bytes_max };
        let mut wanted = Wanted::of(&Asked::default(), config).map_err(StartCaptureError::Wrong)?;
        wanted.bytes_max = ring.file_bytes_max();
        self.begin(RING.to_owned(), Asked::default(), wanted, Some(ring)).map(drop)
    }

    /// Begins a capture. Touches the disk.
    ///
    /// # Errors
    /// When it makes no sense, as many run as may, or its file cannot be written.
    pub fn start(&self, asked: Asked) -> Result<CaptureStatus, StartCaptureError> {
        if !self.0.config.has_directory() {
            return Err(StartCaptureError::Off);
        }
        let wanted = Wanted::of(&asked, &self.0.config).map_err(StartCaptureError::Wrong)?;
        let id = {
            let mut all = self.lock();
            all.last_id += 1;
            all.last_id.to_string()
        };
        self.begin(id, asked, wanted, None).map(|running| running.status())
    }

    fn begin(
        &self,
        id: String,
        asked: Asked,
        wanted: Wanted,
        ring: Option<Ring>,
    ) -> Result<Arc<Running>, StartCaptureError> {
        let Shared { config, about, recording, ledger, supervisor, .. } = &*self.0;
        let bounds = (config.queue_messages_max, config.queue_bytes_max);
        let running = Arc::new(Running::new(id, asked, wanted, bounds, ledger.hop(HOP)));
        self.add(&running)?;
        let mut files = Files::new(&config.directory, about, &running.id, ring);
        let begun = files.next(&running.bytes, running.wanted.bytes_max, Instant::now()).and_then(|writer| {
            running.writes(files.current().to_owned());
            let number = recording.begin(Arc::clone(&running) as Arc<dyn Recorder>);
            let writing = Writing::new(Arc::clone(&running), files, writer, Instant::now());
            let (ended, id) = (recording.clone(), running.id.clone());
            let started = supervisor.thread(PART, move || {
                let _ended = Ended(ended, number);
                guarded(&id, || writing.run());
                Ok(())
            });
            started.map(drop).map_err(|error| {
                recording.end(number);
                format!("starting the thread of a capture: {error}")
            })
        });
        begun.map_err(|error| {
            self.lock().captures.retain(|other| !Arc::ptr_eq(other, &running));
            StartCaptureError::Failed(error)
        })?;
        Ok(running)
    }

    /// Lists it, if one more may run.
    fn add(&self, running: &Arc<Running>) -> Result<(), StartCaptureError> {
        let mut all = self.lock();
        if all.has_ended {
            return Err(StartCaptureError::Failed("the host ends".to_owned()));
        }
        let asked_for = all.captures.iter().filter(|capture| capture.is_running() && capture.id != RING).count();
        if asked_for >= CAPTURES_MAX && running.id != RING {
            return Err(StartCaptureError::TooMany);
        }
        while all.captures.len() >= CAPTURES_LISTED_MAX
            && let Some(oldest) = all.captures.iter().position(|capture| !capture.is_running())
        {
            all.captures.remove(oldest);
        }
        all.captures.push(Arc::clone(running));
        Ok(())
    }

    /// Ends a capture, and waits until its file is whole; none if there is none of this name. One that has ended is shown as it
    /// is; the ring goes on.
    pub async fn stop(&self, id: &str) -> Option<CaptureStatus> {
        let found = self.lock().captures.iter().find(|capture| capture.id == id && id != RING).cloned()?;
        found.queue.close();
        let mut state = found.state.subscribe();
        let ended = state.wait_for(|state| *state != CaptureState::Running);
        // Who waits longer is shown that it still runs.
        let _ = tokio::time::timeout(Duration::from_millis(CAPTURE_STOP_MS_MAX), ended).await;
        Some(found.status())
    }

    /// All that run, and the last that have ended.
    pub fn list(&self) -> Vec<CaptureStatus> {
        self.lock().captures.iter().map(|capture| capture.status()).collect()
    }

    /// Ends all captures, and waits up to `wait` until their files are whole. None begins any more. Blocks.
    pub fn close(&self, wait: Duration) {
        let captures = {
            let mut all = self.lock();
            all.has_ended = true;
            all.captures.clone()
        };
        captures.iter().for_each(|capture| capture.queue.close());
        let deadline = Instant::now() + wait;
        while captures.iter().any(|capture| capture.is_running()) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing more is recorded for a capture whose thread has ended, however it did.
struct Ended(Recording, u64);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}
