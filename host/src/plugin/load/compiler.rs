//! The compiler: a child process of our own binary under limits, because compiling can be neither cancelled nor bounded
//! inside a process, and a hostile file may make it run, grow or crash.
//!
//! The component goes in at its stdin and the artifact comes out at its stdout. It ends with 0, or with
//! [`REFUSED`] and the reason on stderr.

use super::LoadError;
use super::reset::resettable;
use crate::config::{ARTIFACT_BYTES_MAX, BUSY_COMPILE_PERIODS, COMPILES_ASKED_MAX, COMPILES_MAX, Limits};
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::runtime;
use crate::system::output::note;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read, Write};
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
/// Tells a compiler to add the functions that reset the component's instances, if it can.
const RESET: &str = "--reset";
/// How long a compiler gives way before it is replaced by one that does not. Most components compile in less time;
/// where the traffic leaves the processor no pause, a swap must not wait for the traffic to end.
const GIVE_WAY_MAX: Duration = Duration::from_millis(250);
/// The niceness of a compiler that does not give way: it gets less of the processor than the traffic.
const NICE: i32 = 5;
/// The reason that is given for new instances where the configuration asks for them.
const NOT_ASKED: &str = "isolation = \"fresh\"";
const STDERR_BYTES_MAX: u64 = 64 << 10;
/// The address space that the process has before it compiles, and more for each of its threads: a stack, and what the
/// allocator lays by for it.
const BASE_BYTES: u64 = 256 << 20;
const THREAD_BYTES: u64 = 80 << 20;
/// However many processors there are: each takes memory of the machine that is no part of `compile_memory_bytes_max`.
const THREADS_MAX: usize = 8;

/// Starts compilers, a few at a time.
#[derive(Clone)]
pub(crate) struct Compiler {
    program: Arc<Path>,
    debug_info: bool,
    permits: Arc<Semaphore>,
    permits_asked: Arc<Semaphore>,
}

impl Compiler {
    /// With the program that has [`SUBCOMMAND`].
    pub(crate) fn new(program: PathBuf, debug_info: bool) -> Self {
        let permits = |count| Arc::new(Semaphore::new(count));
        Self {
            program: program.into(),
            debug_info,
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
            return artifact(component, reset, self.debug_info).map_err(LoadError::Compile);
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
            // The environment may hold secrets, which a hostile file must not find.
            .env_clear()
            .env("RAYON_NUM_THREADS", threads().to_string())
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

/// How many threads compile one component: one processor is left to the traffic, because a request waits longer for a
/// processor that another thread has to leave first, even if that thread gives way.
fn threads() -> usize {
    std::thread::available_parallelism()
        .map_or(1, |processors| processors.get().saturating_sub(1))
        .clamp(1, THREADS_MAX)
}

/// Gives this thread a priority below all others, where there is one.
fn give_way_to_others() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::ThreadPriority;
        use thread_priority::unix::{
            NormalThreadSchedulePolicy::Idle, ThreadSchedulePolicy::Normal, set_thread_priority_and_policy,
            thread_native_id,
        };
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Idle));
    }
}

/// What [`SUBCOMMAND`] does with its flags.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Flags {
    /// Below all else that runs
    #[arg(long)]
    give_way: bool,
    /// With what the component says of its sources
    #[arg(long)]
    debug_info: bool,
    /// With what resets its instances
    #[arg(long)]
    reset: bool,
}

/// What [`SUBCOMMAND`] does: compiles the component on stdin. Returns the exit code.
pub fn run(memory_bytes_max: u64, cpu_seconds_max: u64, flags: Flags) -> u8 {
    if flags.give_way {
        give_way_to_others();
    }
    match compile(memory_bytes_max, cpu_seconds_max, flags) {
        Ok(()) => 0,
        Err(error) => {
            note(error);
            REFUSED
        }
    }
}

fn compile(memory_bytes_max: u64, cpu_seconds_max: u64, flags: Flags) -> Result<(), String> {
    bound_this_process(memory_bytes_max, cpu_seconds_max).map_err(|error| format!("limiting the compiler: {error}"))?;
    let mut component = Vec::new();
    std::io::stdin().read_to_end(&mut component).map_err(|error| format!("reading the component: {error}"))?;
    let artifact = artifact(&component, flags.reset, flags.debug_info)?;
    std::io::stdout().write_all(&artifact).map_err(|error| format!("writing what was compiled: {error}"))
}

/// What a component compiles to, with no bound on time and memory but those of this process.
fn artifact(component: &[u8], reset: bool, debug_info: bool) -> Result<Vec<u8>, String> {
    refuse_what_is_no_component(component)?;
    let mut settings = runtime::compile_settings(debug_info);
    // A single other thread would only be waited for.
    settings.parallel_compilation(threads() > 1);
    let engine = wasmtime::Engine::new(&settings).map_err(|error| format!("{error:#}"))?;
    let binary = wat::parse_bytes(component).map_err(|error| error.to_string())?;
    let compiled = |binary: &[u8]| engine.precompile_component(binary).map_err(|error| format!("{error:#}"));
    let resettable =
        if reset { resettable(&binary).map_err(|obstacle| obstacle.to_string()) } else { Err(NOT_ASKED.to_owned()) };
    // What is added to a sound component compiles; should it ever not, the component serves as it is.
    let (mut code, isolation) = match resettable.and_then(|resettable| compiled(&resettable)) {
        Ok(code) => (code, Isolation::Reset),
        Err(reason) => (compiled(&binary)?, Isolation::fresh(reason)),
    };
    isolation.append_to(&mut code);
    Ok(code)
}

fn bound_this_process(memory_bytes_max: u64, cpu_seconds_max: u64) -> rustix::io::Result<()> {
    let bound = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    let threads = threads() as u64;
    bound(Resource::As, (BASE_BYTES + threads * THREAD_BYTES).saturating_add(memory_bytes_max))?;
    bound(Resource::Cpu, cpu_seconds_max.saturating_mul(threads))?;
    // No file, no dump: what comes out comes out at stdout.
    bound(Resource::Fsize, 0)?;
    bound(Resource::Core, 0)?;
    // If the system refuses, the compiler competes with the traffic until it ends.
    let _ = rustix::process::nice(NICE);
    Ok(())
}

/// Says what the bytes are where the compiler would only say what they are not.
fn refuse_what_is_no_component(bytes: &[u8]) -> Result<(), String> {
    const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const MAGIC: &[u8] = b"\0asm";
    let refuse = |what: &str| Err(what.to_owned());
    if bytes.is_empty() {
        refuse("the file is empty")
    } else if bytes.starts_with(CORE_MODULE) {
        refuse("a core module, not a component: build it with `tidegate plugin build`")
    } else if bytes.starts_with(MAGIC)
        || [&b"("[..], b";;"].iter().any(|text| bytes.trim_ascii_start().starts_with(text))
    {
        Ok(())
    } else {
        refuse("neither a WebAssembly component nor its text form")
    }
}
