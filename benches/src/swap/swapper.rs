//! Swaps the component of a route, and measures when the new one serves.

use crate::client::Client;
use crate::launch::variant;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

/// The interval at which the route is polled, alone and beside other traffic, which the polls must not disturb.
const LOOK: Duration = Duration::from_micros(200);
const LOOK_BESIDE_TRAFFIC: Duration = Duration::from_millis(5);
/// The pause between two swaps: the host takes a file that changes again at once for one that is being written.
const PAUSE: Duration = Duration::from_millis(60);
const SWAP_MAX: Duration = Duration::from_secs(30);

/// The way in which a new component is put in place.
#[derive(Clone, Copy)]
pub enum Way {
    /// Renamed into place; the host has never seen it.
    NeverSeen,
    /// Renamed into place; the host has compiled it before.
    SeenBefore,
    /// Written over the file in place.
    WrittenOver,
}

/// Swaps the component at one path.
pub struct Swapper {
    path: PathBuf,
    client: Client,
    generation: String,
    variants: usize,
}

impl Swapper {
    /// A swapper of the component at `path`, which serves `/x/`.
    pub fn new(path: PathBuf, address: SocketAddr) -> Result<Self> {
        let client = Client::connect(address, "/x/?param=HeLLo").context("connecting")?;
        let mut swapper = Self { path, client, generation: String::new(), variants: 0 };
        swapper.generation = swapper.who_answers()?;
        Ok(swapper)
    }

    /// Puts a component in place, of which the host must make a new generation. Returns how long that took.
    pub fn swap(&mut self, component: &[u8], way: Way) -> Result<Duration> {
        self.swap_and_look(component, way, LOOK)
    }

    fn swap_and_look(&mut self, component: &[u8], way: Way, look: Duration) -> Result<Duration> {
        sleep(PAUSE);
        let began = match way {
            Way::NeverSeen => {
                self.variants += 1;
                rename_over(&self.path, &variant(component, self.variants))?
            }
            Way::SeenBefore => rename_over(&self.path, component)?,
            Way::WrittenOver => {
                std::fs::write(&self.path, component)?;
                Instant::now()
            }
        };
        loop {
            let generation = self.who_answers()?;
            let took = began.elapsed();
            if generation != self.generation {
                self.generation = generation;
                return Ok(took);
            }
            ensure!(took < SWAP_MAX, "the component was not swapped within {} s", SWAP_MAX.as_secs());
            sleep(look);
        }
    }

    /// Runs some work while two components are swapped for each other.
    pub fn while_swapping<T>(
        &mut self,
        components: [&[u8]; 2],
        way: Way,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let over = AtomicBool::new(false);
        scope(|scope| {
            let swaps = scope.spawn(|| -> Result<usize> {
                let mut swaps = 0;
                while !over.load(Ordering::Relaxed) {
                    self.swap_and_look(components[swaps % 2], way, LOOK_BESIDE_TRAFFIC)?;
                    swaps += 1;
                }
                Ok(swaps)
            });
            let done = work();
            over.store(true, Ordering::Relaxed);
            let swaps = swaps.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            ensure!(swaps > 1, "there was no time for swaps");
            done
        })
    }

    fn who_answers(&mut self) -> Result<String> {
        let answer = self.client.get().context("asking who answers")?;
        ensure!(answer.status == 200, "status {} while the component is swapped", answer.status);
        Ok(answer.header("tidegate-generation").context("the answer has no generation")?.to_owned())
    }
}

/// Replaces a file atomically, as installers do. Returns the time of it.
fn rename_over(path: &Path, content: &[u8]) -> Result<Instant> {
    let new = path.with_extension("new");
    std::fs::write(&new, content)?;
    let began = Instant::now();
    std::fs::rename(new, path)?;
    Ok(began)
}
