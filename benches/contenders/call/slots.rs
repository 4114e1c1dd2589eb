//! Calls as the host makes them: with ledger, bounds, deadline and background calls.

use anyhow::{Context, Result, anyhow};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tidegate::config::{Config, Isolation};
use tidegate::flow::Message;
use tidegate::plugin::{Cache, CallNumber, Cause, Engine, Processor, Seed, Setup, Slot, Slots, Source, own_program};
use tidegate::system::supervisor::Supervisor;
use tokio::runtime::Runtime;

/// The size of the cache of compiled components, of which each is loaded twice.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// Calls that one instance serves where it is reused: a JavaScript engine has used up its memory after some ten
/// thousand of them, before it collects its garbage.
const REUSE: u32 = 1_000;

/// Slots that load plugins and call them.
pub struct Caller<'a> {
    runtime: &'a Runtime,
    engine: Engine,
    _cache: TempDir,
}

impl<'a> Caller<'a> {
    pub fn new(runtime: &'a Runtime) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let cache = Cache::open(directory.path(), CACHE_BYTES_MAX, false).map_err(|error| anyhow!("{error}"))?;
        let setup = Setup {
            plugins: 1,
            compiler: own_program()?,
            cache: Some(Arc::new(cache)),
            seed: Seed::new(None),
            debug_info: false,
            spare_processors: 1,
            supervisor: Supervisor::default(),
        };
        let engine = Engine::new(&Config::default().limits_largest(), setup)?;
        Ok(Self { runtime, engine, _cache: directory })
    }

    /// A slot with the component, under the default bounds; the end of its name says how its instances are made.
    pub fn load(&self, name: &'static str, component: &Path) -> Result<Arc<Slot>> {
        let mut config = Config::default();
        let plugin = config.plugins.entry(name.to_owned()).or_default();
        match name.rsplit_once('-') {
            Some((_, "reused")) => plugin.reuse = REUSE,
            Some((_, "fresh")) => plugin.isolation = Isolation::Fresh,
            _ => {}
        }
        let slots = Slots::new(self.engine.clone(), config, false);
        let slot = slots.add_all(vec![Source { name: name.to_owned(), place: component.to_owned().into() }]).pop();
        let slot = slot.context("the component has no slot")?;
        self.runtime
            .block_on(slots.load(&slot, Cause::Asked))
            .with_context(|| format!("loading {}", component.display()))?;
        Ok(slot)
    }

    /// Makes a call with each body, and returns the last answer.
    pub fn calls(&self, slot: &Slot, bodies: Vec<Vec<u8>>) -> Result<Vec<u8>> {
        // The calls run on this thread, because switching to another one would take long on a busy machine.
        self.runtime.block_on(async {
            let mut answer = Vec::new();
            for body in bodies {
                let input = slot.input::<Processor>(Message::of_topic("", Vec::new(), body));
                let outputs = slot.call::<Processor>(input, "", CallNumber::Message(1)).await.result?;
                let output = outputs.into_iter().next().context("the message was filtered")?;
                answer = std::hint::black_box(output.message).frames.pop().unwrap_or_default().into();
            }
            Ok(answer)
        })
    }
}
