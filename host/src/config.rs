//! Every address, path, limit and timeout of the host, from a TOML file, with flags and environment laid over it.

mod address;
mod backbone;
mod bounds;
mod capture;
mod comparison;
mod dead_letters;
mod document;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod http;
mod limits;
mod log;
mod messaging;
mod oci;
mod otel;
mod place;
mod plugin;
mod reference;
mod streams;

pub use address::{Address, Endpoint, check_endpoint, check_every_address, is_every_address};
pub use backbone::{
    JETSTREAM, JetStreamConsumer, JetStreamSource, JetStreamStream, Nats, Storage, SubjectPart, SubjectTemplate,
    is_jetstream,
};
pub use bounds::*;
pub use capture::*;
pub use comparison::*;
pub use dead_letters::DeadLetters;
pub use document::Document;
pub use http::{Admin, EVENTS, Events, Http, Network, OnSlow, Tail};
pub use limits::{Limits, LimitsLayer, duration, timeout};
pub use log::{Log, LogFormat};
pub use messaging::{
    Broker, Curve, EnvelopeKind, IpcMode, LEFT_ADDRESS_LINGER_MS, LEFT_ADDRESS_MS_MAX, LEFT_ADDRESS_SILENCE_MS,
    Messaging, NAME_ADDRESS_LINES_MAX, NAME_ADDRESSES_MAX, NAME_LOOK_UP_MS, NAME_LOOK_UP_WAITERS_MAX,
    NAME_LOOK_UPS_MAX, OnFull, Publisher,
};
pub use oci::*;
pub use otel::{CollectorEndpoint, Otel};
pub use place::Place;
pub use plugin::{
    BUCKET_BATCH_BYTES_MAX, BUCKET_BATCH_KEYS_MAX, BUCKET_ENTRY_BYTES, BUCKET_KEY_BYTES_MAX, BUCKET_LOG_BYTES_MAX,
    BUCKET_LOG_USES_MAX, BUCKET_NAME_BYTES_MAX, BUCKET_PAGE_KEYS, BUCKET_SCRATCH_BYTES_MAX, BUCKET_VALUE_BYTES_MAX,
    BUCKETS_MAX, Bucket, BucketBackend, Gate, Grant, Instances, Isolation, Plugin,
};
pub use reference::{Reference, Version};
pub use streams::{
    CONNECTION_HEADERS, CurveRole, Flow, OnError, Order, QueueBounds, Retry, Route, Socket, SocketType, WorkerCodec,
    WorkerPool, WorkerProtocol, pool_of, step_of,
};

use document::Mistake;
use limits::{milliseconds, number};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole configuration. Every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The HTTP surface.
    pub http: Http,
    /// The messages that browsers follow.
    pub events: Events,
    /// The admin surface.
    pub admin: Admin,
    /// When a plugin that fails is taken out of service.
    pub rollback: Rollback,
    /// Where compiled components are kept.
    pub cache: Cache,
    /// The registries that plugins come from.
    pub oci: Oci,
    /// Makes the randomness and the clocks of guests repeatable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The ZeroMQ sockets.
    pub messaging: Messaging,
    /// The PUB side.
    pub publisher: Publisher,
    /// The ROUTER side.
    pub broker: Broker,
    /// Where what was lost is written.
    pub dead_letters: DeadLetters,
    /// Where messages and calls are recorded when an operator asks for it, and whether the last of them always are.
    pub capture: Capture,
    /// Encryption of the ZeroMQ sockets, and who may connect to them.
    pub curve: Curve,
    /// The end of a run.
    pub shutdown: Shutdown,
    /// The log.
    pub log: Log,
    /// Traces of requests and calls.
    pub otel: Otel,
    /// The bounds of every plugin that does not set its own.
    pub limits: LimitsLayer,
    /// What is said of one plugin: where it comes from, what its instances are, its own bounds and settings.
    pub plugins: BTreeMap<String, Plugin>,
    /// ZeroMQ sockets beside the two of `[messaging]`, by name.
    pub sockets: BTreeMap<String, Socket>,
    /// Pools of workers, by name.
    pub workers: BTreeMap<String, WorkerPool>,
    /// The servers of NATS, whose JetStream keeps messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats: Option<Nats>,
    /// Streams of JetStream, by name.
    pub streams: BTreeMap<String, JetStreamStream>,
    /// Flows of messages from sockets, through plugins and workers, to sockets.
    pub flows: BTreeMap<String, Flow>,
    /// What is said of routes of the HTTP surface.
    pub routes: BTreeMap<String, Route>,
}

/// `[rollback]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rollback {
    /// The first calls of a generation, during which it is on probation.
    #[serde(deserialize_with = "number::<_, _, 1, 1_000_000>")]
    pub window: u32,
    /// How many of those may trap or go over a bound before the generation is rolled back, and how many may in a row,
    /// later, before the plugin is paused; 0 switches both off.
    #[serde(deserialize_with = "number::<_, _, 0, 1_000_000>")]
    pub failures: u32,
    /// The first pause of a plugin that fails with nothing to go back to; each further one is twice as long.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub pause_ms: u64,
    /// The longest pause.
    #[serde(deserialize_with = "milliseconds::<_, _, 1, 86_400_000>")]
    pub pause_ms_max: u64,
}

impl Default for Rollback {
    fn default() -> Self {
        Self { window: 100, failures: 5, pause_ms: 1_000, pause_ms_max: 60_000 }
    }
}

/// `[cache]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// The directory, which nobody else may write to; `none` for no cache. Without it: `tidegate` in
    /// `$XDG_CACHE_HOME`, else in `~/.cache`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// All entries together; the ones that were not used for longest go first.
    #[serde(deserialize_with = "number::<_, _, 0, 1_099_511_627_776>")]
    pub bytes_max: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { directory: None, bytes_max: 1 << 30 }
    }
}

/// `[shutdown]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// How long work in flight may take to end.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 3_600_000>")]
    pub grace_ms: u64,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace_ms: 10_000 }
    }
}

impl Config {
    /// Reads a TOML file, which comes along to tell by where in it what [`Config::check`] finds is.
    ///
    /// # Errors
    /// Names the file, and for a wrong key or value the line and what is allowed.
    pub fn read(path: &Path) -> Result<(Self, Document), String> {
        Self::of(Document::read(path)?)
    }

    /// As [`Self::read`], of a text that stands in no file.
    ///
    /// # Errors
    /// Names for a wrong key or value the line and what is allowed.
    pub fn parse(text: String) -> Result<(Self, Document), String> {
        Self::of(Document::of(text))
    }

    fn of(document: Document) -> Result<(Self, Document), String> {
        let config: Self = toml::from_str(document.text()).map_err(|error| document.error(error))?;
        for name in config.plugins.keys() {
            check_name(name).map_err(|error| document.describe(&Mistake::of("plugins", name, error)))?;
        }
        Ok((config, document))
    }

    /// Whether all that is said of sockets, flows and routes fits together, with what flags and variables say laid over the
    /// `document` that it was read from.
    ///
    /// # Errors
    /// The first mistake: its key, its line and a remedy.
    pub fn check(&self, document: &Document) -> Result<(), String> {
        capture::check(&self.capture)
            .and_then(|()| plugin::check(self))
            .and_then(|()| backbone::check(self))
            .and_then(|()| streams::check(self))
            .map_err(|mistake| document.describe(&mistake))
    }

    /// TOML that [`Config::read`] accepts and that says every default.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut complete = self.clone();
        complete.limits = LimitsLayer::from(&self.limits.over(&Limits::default()));
        toml::to_string(&complete)
    }

    /// The bounds of one plugin.
    pub fn limits_of(&self, name: &str) -> Limits {
        let all = self.limits.over(&Limits::default());
        self.plugins.get(name).map_or(all.clone(), |plugin| plugin.limits.over(&all))
    }

    /// The largest bounds of any plugin, for what all plugins share.
    pub fn limits_largest(&self) -> Limits {
        let all = self.limits.over(&Limits::default());
        self.plugins.values().map(|plugin| plugin.limits.over(&all)).fold(all.clone(), |largest, limits| Limits {
            memory_bytes_max: largest.memory_bytes_max.max(limits.memory_bytes_max),
            table_elements_max: largest.table_elements_max.max(limits.table_elements_max),
            ..largest
        })
    }

    /// How often it is looked whether the tag of a plugin has moved; none for never.
    pub fn poll_of(&self, name: &str) -> Option<Duration> {
        let own = self.plugins.get(name).and_then(|plugin| plugin.poll_ms);
        Some(own.unwrap_or(self.oci.poll_ms)).filter(|&length_ms| length_ms > 0).map(Duration::from_millis)
    }

    /// What the instances of a plugin are.
    pub fn instances_of(&self, name: &str) -> Instances {
        let of = |plugin: &Plugin| Instances { isolation: plugin.isolation, reuse: plugin.reuse, warm: plugin.warm };
        self.plugins.get(name).map_or_else(Instances::default, of)
    }

    /// The hosts that a plugin may send requests to.
    pub fn outbound_of(&self, name: &str) -> Vec<Grant> {
        self.plugins.get(name).map(|plugin| plugin.outbound.clone()).unwrap_or_default()
    }

    /// What a plugin may keep between its calls.
    pub fn buckets_of(&self, name: &str) -> BTreeMap<String, Bucket> {
        self.plugins.get(name).map(|plugin| plugin.buckets.clone()).unwrap_or_default()
    }

    /// What newcomers of a plugin are compared on; nothing if it has no gate.
    pub fn gate_of(&self, name: &str) -> Option<&Gate> {
        self.plugins.get(name)?.gate.as_ref()
    }

    /// The settings of one plugin's guest.
    pub fn settings_of(&self, name: &str) -> BTreeMap<String, String> {
        self.plugins.get(name).map(|plugin| plugin.settings.clone()).unwrap_or_default()
    }
}

/// What the PUB socket of `[messaging]` is called.
pub const PUBLISH: &str = "publish";
/// What the ROUTER socket of `[messaging]` is called.
pub const FRONTEND: &str = "frontend";
/// The key of the pair of metadata by which the host says how a message is called where it is stored: one that comes again is
/// known by it.
pub const MESSAGE_ID_KEY: &str = "tidegate.message-id";
/// Where events are served, of the public HTTP surface.
pub const EVENTS_PATH: &str = "/events";

/// Whether a plugin may have this name, which is its route: `[a-z0-9][a-z0-9_-]*`, but `events`.
///
/// # Errors
/// Quotes a name that does not match, and says how to give another one.
pub fn check_name(name: &str) -> Result<(), String> {
    if name == EVENTS {
        Err(format!("plugin name `{name}` is that of a part of the host: rename the file, or say NAME=PATH"))
    } else if is_name(name) {
        Ok(())
    } else {
        Err(format!("plugin name `{name}` does not match [a-z0-9][a-z0-9_-]*: rename the file, or say NAME=PATH"))
    }
}

/// Whether a plugin, a socket, a flow or a route may have this name.
fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text.to_owned()).map(|(config, _)| config)
    }

    #[test]
    fn what_is_printed_is_accepted_and_means_the_same() {
        let config = parse(
            "[http]\naddress = 'none'\n[limits]\ncalls_max = 3\n[plugins.a]\npath = 'x/a.wasm'\n\
             outbound = ['api.example.com', 'localhost:8080']\n\
             [plugins.a.limits]\nreplies_max = 7\n[plugins.a.settings]\ngreeting = 'hello'\n\
             [oci]\npoll_ms = 7\n[plugins.b]\npath = 'oci://h/b:1'\n[plugins.c]\npoll_ms = 0\n",
        )
        .unwrap();
        let printed = config.to_toml().unwrap();
        let read = parse(&printed).unwrap();
        assert_eq!(read.to_toml().unwrap(), printed);
        assert_eq!(read.limits_of("a"), Limits { calls_max: 3, replies_max: 7, ..Limits::default() });
        assert_eq!(read.http.address, Address(None));
        assert_eq!(read.settings_of("a")["greeting"], "hello");
        assert!(read.outbound_of("a")[1].covers("localhost", 8080) && read.outbound_of("b").is_empty());
        assert_eq!(read.plugins["b"].path, Some("oci://h/b:1".parse().unwrap()));
        assert_eq!(["b", "c"].map(|name| read.poll_of(name)), [Some(Duration::from_millis(7)), None]);
        assert!(Config::default().to_toml().unwrap().contains("call_deadline_ms = 1000"));
    }

    #[test]
    fn a_wrong_key_type_or_value_is_named_with_its_line_and_a_remedy() {
        for (text, named) in [
            ("\n[http]\nadress = 'none'", ["line 3", "adress", "expected one of"]),
            ("[http]\n\nbody_bytes_max = 'x'", ["line 3", "body_bytes_max", "invalid type"]),
            ("[messaging]\nworkers = 0", ["line 2", "workers", "not between 1 and 1000"]),
            ("[messaging]\npublish = '4444'", ["line 2", "publish", "such as tcp://127.0.0.1:4444"]),
            ("[plugins.a.limits]\ncalls_max = 1001", ["line 2", "calls_max", "not between 1 and 1000"]),
            ("[plugins.a]\noutbound = ['http://b']", ["line 2", "`http://b`", "such as api.example.com"]),
            ("[oci]\nplain_http = ['http://h']", ["line 2", "`http://h`", "registry.example:5000"]),
            ("[plugins.a]\npath = 'oci://h/a'", ["line 2", "`oci://h/a`", ":TAG"]),
            ("[plugins.Up]\n", ["plugins.Up", "`Up`", "rename the file"]),
        ] {
            let error = parse(text).unwrap_err();
            for word in named {
                assert!(error.contains(word), "{word:?} is not in: {error}");
            }
        }
    }

    #[test]
    fn names_are_routes() {
        for name in ["a", "0-x", "random-replies", "a_b"] {
            check_name(name).unwrap();
        }
        for name in ["", "-a", "A", "a.b", "a/b", "é", "a b"] {
            check_name(name).unwrap_err();
        }
    }
}
