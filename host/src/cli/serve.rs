//! `tidegate` without a subcommand: flags and environment over the configuration file, then the host.

pub(super) mod ending;
mod plugin_flags;

use super::log;
use crate::app::{App, Reread, StartError};
use crate::config::{Address, CollectorEndpoint, Config, Endpoint, GIVE_UP_MS, LogFormat, check_name};
use crate::plugin::Source;
use crate::system::{exit_code, output, swap};
use clap::Args;
use clap::builder::BoolishValueParser;
use plugin_flags::PluginFlags;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Tasks that a thread runs before it looks for what has come in. A call may take a millisecond and more: with tokio's
/// 61 of them a new request would wait that long before anybody knew of it.
const EVENT_INTERVAL: u32 = 8;

/// The flags of the host.
#[derive(Clone, Debug, Args)]
pub(super) struct Serve {
    /// A plugin to load, a file or oci://REGISTRY/REPOSITORY:TAG (or @sha256:…); NAME, the route, defaults to the
    /// file's stem or the repository's last part. Repeatable; default: every *.wasm in ./plugins
    #[arg(long = "plugin", value_name = "[NAME=]PLACE", env = "TIDEGATE_PLUGIN", value_delimiter = ',')]
    plugins: Vec<Named>,
    /// A TOML file with any of the settings; --print-config shows them all
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    plugin_flags: PluginFlags,
    /// Where HTTP listens, or none [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_HTTP")]
    http: Option<Address>,
    /// Where the host is watched and its plugins are swapped, or none [default: 127.0.0.1:5001]
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_ADMIN")]
    admin: Option<Address>,
    /// Where the PUB socket binds, or none [default: tcp://127.0.0.1:4444]
    #[arg(long, value_name = "ENDPOINT", env = "TIDEGATE_PUBLISH")]
    publish: Option<Endpoint>,
    /// Serve what is published to browsers too, at /events
    #[arg(long, env = "TIDEGATE_EVENTS", value_parser = BoolishValueParser::new())]
    events: bool,
    /// Where the broker's ROUTER socket binds, or none [default: tcp://127.0.0.1:5570]
    #[arg(long, value_name = "ENDPOINT", env = "TIDEGATE_FRONTEND")]
    frontend: Option<Endpoint>,
    /// Calls of the broker's policy at a time [default: 5]
    #[arg(long, value_name = "N", env = "TIDEGATE_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    workers: Option<u16>,
    /// The plugin that answers the broker's requests [default: random-replies, else the only reply policy]
    #[arg(long, value_name = "NAME", env = "TIDEGATE_POLICY")]
    policy: Option<String>,
    /// The file with the host's secret key: PUB and frontend let in clients with an authorized key alone
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CURVE_SECRET_KEY")]
    curve_secret_key: Option<PathBuf>,
    /// The directory with the clients' public keys, one a file; it may change at any time
    #[arg(long, value_name = "DIR", env = "TIDEGATE_CURVE_AUTHORIZED_KEYS")]
    curve_authorized_keys: Option<PathBuf>,
    /// Where compiled components are kept, or none [default: tidegate in $XDG_CACHE_HOME, else in ~/.cache]
    #[arg(long, value_name = "DIR", env = "TIDEGATE_CACHE")]
    cache: Option<PathBuf>,
    /// Make the chance and the clocks of plugins repeatable
    #[arg(long, value_name = "N", env = "TIDEGATE_SEED")]
    seed: Option<u64>,
    /// What the log on stderr looks like: text or json [default: text]
    #[arg(long, value_name = "FORMAT", env = "TIDEGATE_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// What of the log is wanted: a level, or TARGET=LEVEL, separated by commas [default: info]
    #[arg(long, value_name = "FILTER", env = "TIDEGATE_LOG")]
    log_filter: Option<log::Filter>,
    /// Send traces by OTLP to the collector at this URL, such as http://127.0.0.1:4318 [default: no traces]
    #[arg(long, value_name = "URL", env = "TIDEGATE_OTEL_ENDPOINT")]
    otel_endpoint: Option<CollectorEndpoint>,
    /// Write the configuration in force as TOML, and end
    #[arg(long, env = "TIDEGATE_PRINT_CONFIG", value_parser = BoolishValueParser::new())]
    print_config: bool,
}

/// A plugin as a flag names it.
#[derive(Clone, Debug)]
struct Named(Source);

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let source = match text.split_once('=') {
            Some((name, place)) => {
                check_name(name)?;
                Source { name: name.to_owned(), place: place.parse()? }
            }
            None => Source::of(text.parse()?)?,
        };
        Ok(Self(source))
    }
}

impl Serve {
    pub(super) fn run(self) -> ExitCode {
        let (print_config, filter, reread) = (self.print_config, self.log_filter(), self.reread());
        let (config, named) = match self.settings() {
            Ok(settings) => settings,
            Err(error) => return fail(exit_code::USAGE, &error),
        };
        if print_config {
            return print(&config);
        }
        let format = config.log.format;
        let log = log::start(format, filter);
        swap::report();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = match runtime.enable_all().event_interval(EVENT_INTERVAL).build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(exit_code::FAILURE, &format!("starting threads: {error}")),
        };
        let lines_lost = log.lines_lost();
        let ended = runtime.block_on(async {
            let app = App::build(config, named, reread, lines_lost).await?;
            Ok(app.run().await)
        });
        // What the grace period did not end (a compiler at work, say) ends with the process; calls that are given up
        // end at their next tick, and are counted then.
        runtime.shutdown_timeout(Duration::from_millis(GIVE_UP_MS));
        drop(log);
        match ended {
            Ok(ended) => ending::tell(&ended, format),
            Err(StartError::Usage(text)) => fail(exit_code::USAGE, &text),
            Err(StartError::CouldNotStart(error)) => fail(exit_code::FAILURE, &format!("{error:#}")),
            // Whoever sent the signal knows why.
            Err(StartError::Interrupted(exit_code)) => ExitCode::from(exit_code),
        }
    }

    /// What of the log is wanted.
    pub(super) fn log_filter(&self) -> Option<log::Filter> {
        self.log_filter.clone()
    }

    /// What reads the configuration again.
    pub(super) fn reread(&self) -> Reread {
        let flags = self.clone();
        Arc::new(move || flags.clone().settings().map(|(config, _)| config))
    }

    /// The configuration in force, and the plugins of the command line.
    ///
    /// # Errors
    /// When the configuration file cannot be read, what it says does not fit together, or two plugins have the same name.
    pub(super) fn settings(self) -> Result<(Config, Vec<Source>), String> {
        let read = self.config.as_deref().map(Config::read).transpose()?;
        let (mut config, document) = read.unwrap_or_default();
        let http = &mut config.http;
        http.address = self.http.unwrap_or(http.address);
        config.admin.address = self.admin.unwrap_or(config.admin.address);
        config.events.enabled |= self.events;
        config.cache.directory = self.cache.or(config.cache.directory.take());
        config.seed = self.seed.or(config.seed);
        config.log.format = self.log_format.unwrap_or(config.log.format);
        config.otel.endpoint = self.otel_endpoint.or(config.otel.endpoint.take());
        let messaging = &mut config.messaging;
        messaging.publish = self.publish.unwrap_or(messaging.publish.clone());
        messaging.frontend = self.frontend.unwrap_or(messaging.frontend.clone());
        messaging.workers = self.workers.map_or(messaging.workers, usize::from);
        messaging.policy = self.policy.or(messaging.policy.take());
        let curve = &mut config.curve;
        curve.secret_key_file = self.curve_secret_key.or(curve.secret_key_file.take());
        curve.authorized_keys_dir = self.curve_authorized_keys.or(curve.authorized_keys_dir.take());

        let named: Vec<Source> = self.plugins.into_iter().map(|named| named.0).collect();
        for (index, source) in named.iter().enumerate() {
            if named[..index].iter().any(|earlier| earlier.name == source.name) {
                let name = &source.name;
                return Err(format!("two plugins are named {name}: give one another name with --plugin NAME=PATH"));
            }
        }
        for source in &named {
            config.plugins.entry(source.name.clone()).or_default().path = Some(source.place.clone());
        }
        self.plugin_flags.lay_over(&mut config);
        config.check(&document)?;
        Ok((config, named))
    }
}

fn print(config: &Config) -> ExitCode {
    let failed = |error: String| fail(exit_code::FAILURE, &error);
    match config.to_toml() {
        Ok(text) => output::print(text + &config.implied_streams())
            .map_or_else(|error| failed(error.to_string()), |()| ExitCode::SUCCESS),
        Err(error) => failed(format!("writing the configuration: {error}")),
    }
}

/// Says what is wrong, once and without a usage, which would not help where the flags themselves are sound.
fn fail(exit_code: u8, error: &str) -> ExitCode {
    log::say(&format!("error: {error}\n"));
    ExitCode::from(exit_code)
}
