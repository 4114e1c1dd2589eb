//! What a compiler does in its own process: it bounds itself, and compiles the component that comes in at stdin.

use super::REFUSED;
use crate::plugin::load::reset::resettable;
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::runtime;
use crate::system::output::note;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{Read, Write};

/// The niceness of a compiler that does not give way: it gets less of the processor than the traffic.
const NICE: i32 = 5;
/// The reason that is given for new instances where the configuration asks for them.
const NOT_ASKED: &str = "isolation = \"fresh\"";
/// The address space that the process has before it compiles, and more for each of its threads: a stack, and what the
/// allocator lays by for it.
const BASE_BYTES: u64 = 256 << 20;
const THREAD_BYTES: u64 = 80 << 20;

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

/// The flags of a compiler.
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
    /// On so many threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// What [`SUBCOMMAND`](super::SUBCOMMAND) does: it compiles the component on stdin. Returns the exit code.
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
    bound_this_process(memory_bytes_max, cpu_seconds_max, flags.threads)
        .map_err(|error| format!("limiting the compiler: {error}"))?;
    let mut component = Vec::new();
    std::io::stdin().read_to_end(&mut component).map_err(|error| format!("reading the component: {error}"))?;
    let artifact = artifact(&component, flags.reset, flags.debug_info, flags.threads)?;
    std::io::stdout().write_all(&artifact).map_err(|error| format!("writing what was compiled: {error}"))
}

/// What a component compiles to, with no bound on time and memory but those of this process.
///
/// # Errors
/// When the bytes are no component, or one that wasmtime does not take.
pub(super) fn artifact(component: &[u8], reset: bool, debug_info: bool, threads: usize) -> Result<Vec<u8>, String> {
    refuse_what_is_no_component(component)?;
    let mut settings = runtime::compile_settings(debug_info);
    // A single other thread would only be waited for.
    settings.parallel_compilation(threads > 1);
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

fn bound_this_process(memory_bytes_max: u64, cpu_seconds_max: u64, threads: usize) -> rustix::io::Result<()> {
    let bound = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    let threads = threads as u64;
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
