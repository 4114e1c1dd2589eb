//! Fuzzing of components and of the compile cache: whatever the bytes, a load ends within its bounds, and an entry that
//! is not as it was written is not trusted.

use super::call::CallNumber;
use super::load::cache;
use super::load::candidate::Candidate;
use super::load::{self, LoadError};
use super::roles::loaded::Plugin;
use super::roles::processor::Processor;
use super::roles::reply_policy::ReplyPolicy;
use super::roles::role::Role;
use super::run::plugin_state::PluginState;
use super::{Engine, Seed, Setup};
use crate::config::Limits;
use crate::flow::{self, Output, Outputs};
use crate::system::supervisor::Supervisor;
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Small enough for many inputs a second, apart from what a host takes by default.
fn limits() -> Limits {
    Limits {
        call_deadline_ms: 20,
        memory_bytes_max: 4 << 20,
        output_bytes_max: 1 << 20,
        cpu_percent_max: 100,
        log_lines_per_second_max: 0,
        ..Limits::default()
    }
}

/// Loads components, all stages in this process.
pub struct Loader {
    engine: Engine,
    runtime: Runtime,
}

impl Default for Loader {
    fn default() -> Self {
        let seed = Seed { value: 1, fixed: true };
        let setup = Setup {
            plugins: 1,
            compiler: PathBuf::new(),
            cache: None,
            seed,
            debug_info: false,
            spare_processors: 1,
            supervisor: Supervisor::default(),
        };
        let engine = Engine::new(&limits(), setup).expect("an engine");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { engine, runtime }
    }
}

impl Loader {
    /// Takes the bytes through every stage, and calls what came of them.
    pub fn load(&self, bytes: &[u8]) {
        self.runtime.block_on(async {
            // A new one each time, so that no input pays for the processor's time of another.
            let plugin_state = Arc::new(PluginState::new(
                "fuzzed".to_owned(),
                limits(),
                BTreeMap::new(),
                Default::default(),
                Vec::new(),
                Default::default(),
            ));
            let candidate = Candidate::new(Arc::new(bytes.to_vec())).await.expect("a digest");
            match self.engine.load(&plugin_state, candidate, true).await {
                Ok(plugin) => {
                    assert_eq!((&**plugin.digest(), plugin.size_bytes), (&*load::digest(bytes), bytes.len()));
                    assert!(plugin.roles().next().is_some());
                    call(&plugin).await;
                }
                Err(LoadError::Read(_) | LoadError::Probation(_) | LoadError::NoReplacement(_)) => {
                    panic!("a stage that was not there")
                }
                Err(error) => assert!(error.to_string().starts_with(error.stage())),
            }
        });
    }
}

/// Calls each role once, with something in every field.
async fn call(plugin: &Arc<Plugin>) {
    let metadata = vec![("query.a".to_owned(), "é".to_owned())];
    let message = |first: &'static [u8]| flow::Message::of_topic(first, metadata.clone(), &b"Body\xff"[..]);
    let limits = plugin.sandbox.limits();
    let number = CallNumber::Message(1);
    if plugin.has_role(Processor::NAME) {
        let input = plugin.input::<Processor>(message(b"topic"));
        if let Ok(outputs) = plugin.call::<Processor>(input, number, Arc::default(), ()).await {
            assert!(outputs.len() <= limits.messages_max);
            check(&outputs, limits);
        }
    }
    if plugin.has_role(ReplyPolicy::NAME) {
        let input = plugin.input::<ReplyPolicy>(message(&[0, 255]));
        if let Ok(outputs) = plugin.call::<ReplyPolicy>(input, number, Arc::default(), ()).await {
            assert!(outputs.len() <= limits.replies_max);
            check(&outputs, limits);
        }
    }
}

fn check(outputs: &Outputs, limits: &Limits) {
    let mut bytes = 0;
    for Output { after, message } in outputs {
        assert!(after.as_millis() <= u128::from(limits.delay_ms_max) && !message.frames.is_empty());
        bytes += message.bytes();
        bytes += message.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    }
    assert!(bytes <= limits.output_bytes_max, "more than output_bytes_max");
}

/// Takes the bytes for an entry of the compile cache, in a file of this mode; then for what was compiled, with the
/// entry that is made of it as it is, with one byte changed, and cut.
pub fn cache(mode: u32, at: usize, change: u8, bytes: &[u8]) {
    let ours_alone = mode & 0o022 == 0;
    let mut entry = [bytes, blake3::hash(bytes).as_bytes()].concat();
    assert_eq!(is_sound(&entry, mode), ours_alone);
    let at = at % entry.len();
    assert_eq!(is_sound(&entry[..at], mode), ours_alone && ends_with_its_checksum(&entry[..at]));
    entry[at] ^= change;
    assert_eq!(is_sound(&entry, mode), ours_alone && change == 0);
    assert_eq!(is_sound(bytes, mode), ours_alone && ends_with_its_checksum(bytes));
}

fn ends_with_its_checksum(entry: &[u8]) -> bool {
    entry.split_last_chunk::<32>().is_some_and(|(artifact, checksum)| blake3::hash(artifact) == *checksum)
}

fn is_sound(entry: &[u8], mode: u32) -> bool {
    let file = rustix::fs::memfd_create("entry", rustix::fs::MemfdFlags::CLOEXEC).expect("a file in memory");
    let mut file = File::from(file);
    file.write_all(entry).expect("written");
    file.rewind().expect("at its beginning");
    file.set_permissions(Permissions::from_mode(mode & 0o777)).expect("a mode");
    cache::sound(&file).is_ok()
}
