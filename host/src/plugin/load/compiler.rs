//! The compiler: a child process of our own binary under limits, because compiling can be neither cancelled nor bounded
//! inside a process, and a hostile file may make it run, grow or crash.
//!
//! The component goes in at its stdin and the artifact comes out at its stdout. It ends with 0, or with
//! [`REFUSED`] and the reason on stderr.

pub(crate) mod child;

use super::LoadError;
use crate::config::{ARTIFACT_BYTES_MAX, BUSY_COMPILE_PERIODS, COMPILES_ASKED_MAX, COMPILES_MAX, Limits};
use child::artifact;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The hidden subcommand that makes a process a compiler.
pub const SUBCOMMAND: &str = "compile-component";
/// The exit code of a compiler that refuses the component.
const REFUSED: u8 = 4;
/// Tells a compiler to run only while nothing else wants the processor.
const GIVE_WAY: &str = "--give-way";
/// Tells a compiler to keep the component's debug info.
const DEBUG_INFO: &str = "--debug-info";
/// Tells a compiler how many threads it may have.
const THREADS: &str = "--threads";
/// Tells a compiler to add the functions that reset the component's instances, if it can.
const RESET: &str = "--reset";
/// How long a compiler gives way before it is replaced by one that does not. Most components compile in less time;
/// where the traffic leaves the processor no pause, a swap must not wait for the traffic to end.
const GIVE_WAY_MAX: Duration = Duration::from_millis(250);
const STDERR_BYTES_MAX: u64 = 64 << 10;
/// However many processors there are: each takes memory of the machine that is no part of `compile_memory_bytes_max`.
const THREADS_MAX: usize = 8;

/// Starts compilers, a few at a time.
#[derive(Clone)]
pub(crate) struct Compiler {
    program: Arc<Path>,
    debug_info: bool,
    threads: usize,
    permits: Arc<Semaphore>,
    permits_asked: Arc<Semaphore>,
}

impl Compiler {
    /// With the program that has [`SUBCOMMAND`]. So many processors are left to others.
    pub(crate) fn new(program: PathBuf, debug_info: bool, spare_processors: usize) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self {
            program: program.into(),
            debug_info,
            threads: threads(spare_processors),
            permits: permits(COMPILES_MAX),
            permits_asked: permits(COMPILES_ASKED_MAX),
        }
    }

    /// Compiles a component in a child process of our own program. The artifact ends with the isolation of its
    /// instances, which with `reset` are reset if they can be. If someone `asked` for the load, it has permits of its
    /// own, which a directory full of large files does not take.
    ///
    /// # Errors
    /// When the compiler refuses the component, goes over a bound, gets too little of the processor, or cannot be run.
    pub(super) async fn compile(
        &self,
        component: &[u8],
        limits: &Limits,
        reset: bool,
        asked: bool,
    ) -> Result<Vec<u8>, LoadError> {
        if cfg!(fuzzing) {
            // A fuzzer looks for new paths in its own process only.
            return artifact(component, reset, self.debug_info, self.threads).map_err(LoadError::Compile);
        }
        let permits = if asked { &self.permits_asked } else { &self.permits };
        let Ok(_permit) = permits.acquire().await else { std::future::pending().await };
        // A process that is only nice still finishes its time slice, of some milliseconds, before a thread that wakes
        // up for a request may run.
        if Duration::from_millis(limits.compile_ms_max) > GIVE_WAY_MAX
            && let Ok(ended) = timeout(GIVE_WAY_MAX, self.run(component, limits, reset, true)).await
        {
            return ended;
        }
        self.run(component, limits, reset, false).await
    }

    /// Runs one compiler from its start to its end; it is killed when this future is dropped.
    async fn run(&self, component: &[u8], limits: &Limits, reset: bool, gives_way: bool) -> Result<Vec<u8>, LoadError> {
        let failed = |what: &str, error: std::io::Error| {
            LoadError::Compile(format!("{what} the compiler {}: {error}", self.program.display()))
        };
        let mut child = Command::new(&*self.program)
            .arg(SUBCOMMAND)
            .arg(limits.compile_memory_bytes_max.to_string())
            .arg(limits.compile_ms_max.div_ceil(1_000).to_string())
            .args(gives_way.then_some(GIVE_WAY))
            .args(self.debug_info.then_some(DEBUG_INFO))
            .args(reset.then_some(RESET))
            .args([THREADS, &self.threads.to_string()])
            // The environment may hold secrets, which a hostile file must not find.
            .env_clear()
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed("starting", error))?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(LoadError::Compile("the compiler has no pipes".to_owned()));
        };
        let (id, mut artifact, mut text) = (child.id(), Vec::new(), Vec::new());
        let conversation = async {
            let (_, read, _) = tokio::join!(
                // A compiler that has refused no longer reads.
                async {
                    let _ = stdin.write_all(component).await;
                    drop(stdin);
                },
                async { stdout.take(ARTIFACT_BYTES_MAX + 1).read_to_end(&mut artifact).await },
                async { stderr.take(STDERR_BYTES_MAX).read_to_end(&mut text).await },
            );
            read?;
            child.wait().await
        };
        let period = Duration::from_millis(limits.compile_ms_max);
        let (at_last, mut rest) = (Instant::now() + period * BUSY_COMPILE_PERIODS, period);
        let ended = {
            let mut conversation = pin!(conversation);
            loop {
                match timeout(rest, &mut conversation).await {
                    Ok(ended) => break ended,
                    Err(_) => rest = still_due(id, period).ok_or_else(|| too_long(limits))?,
                }
                if Instant::now() >= at_last {
                    return Err(too_busy(limits));
                }
            }
        };
        let status = ended.map_err(|error| failed("talking to", error))?;
        if !status.success() {
            return Err(refusal(status, &String::from_utf8_lossy(&text), limits));
        }
        if artifact.len() as u64 > ARTIFACT_BYTES_MAX {
            return Err(LoadError::Compile(format!("what it compiles to is over {ARTIFACT_BYTES_MAX} bytes")));
        }
        Ok(artifact)
    }
}

fn too_long(limits: &Limits) -> LoadError {
    LoadError::Compile(format!("compiling took longer than compile_ms_max {}", limits.compile_ms_max))
}

fn too_busy(limits: &Limits) -> LoadError {
    let text = format!(
        "the machine is too busy to compile it: in {BUSY_COMPILE_PERIODS} times compile_ms_max {} the compiler had the processor \
         for less than one of them; load it again later",
        limits.compile_ms_max
    );
    LoadError::Busy { stage: "compile", text }
}

/// How much processor time a compiler still lacks of `period`; none if that is less than a tenth, or if the system does
/// not tell.
fn still_due(compiler: Option<u32>, period: Duration) -> Option<Duration> {
    let due = period.saturating_sub(compiler.and_then(processor_time)?);
    // On any machine, a part of the time goes by while the process starts, before it gets the processor.
    (due > period / 10).then_some(due)
}

/// The processor time that the present threads of a process have had.
fn processor_time(process: u32) -> Option<Duration> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    });
    nanos.reduce(|sum: u64, nanos| sum + nanos).map(Duration::from_nanos)
}

/// Why a compiler ended without an artifact.
fn refusal(status: ExitStatus, text: &str, limits: &Limits) -> LoadError {
    let text = text.trim();
    if status.code() == Some(i32::from(REFUSED)) {
        return LoadError::Compile(text.to_owned());
    }
    if status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
        || status.signal() == Some(rustix::process::Signal::KILL.as_raw())
    {
        return too_long(limits);
    }
    // What the allocator writes, and a system call, when there is no memory.
    if text.contains("memory allocation of") || text.contains("Cannot allocate memory") {
        let max = limits.compile_memory_bytes_max;
        return LoadError::Compile(format!("compiling took more memory than compile_memory_bytes_max {max}"));
    }
    LoadError::Compile(format!("the compiler died ({status}): {text}"))
}

/// The program that this process runs.
///
/// # Errors
/// When the system does not say which program this is.
pub fn own_program() -> std::io::Result<PathBuf> {
    // Holds even if the file was replaced or deleted since: a newer one would write what this one does not read.
    let own = Path::new("/proc/self/exe");
    if own.exists() { Ok(own.to_owned()) } else { std::env::current_exe() }
}

/// How many threads compile one component. A processor that is left to the traffic is one that a request need not wait
/// for, until another thread has left it: that takes longer, even if the thread gives way.
fn threads(spare_processors: usize) -> usize {
    std::thread::available_parallelism()
        .map_or(1, |processors| processors.get().saturating_sub(spare_processors))
        .clamp(1, THREADS_MAX)
}
