//! The places that messages come from or go to by name: sockets, and streams and subjects of JetStream.

use super::{Flows, OpenSocket, Source};
use crate::backbone::{Backbone, ConsumerSettings, LetterLine, SinkSettings};
use crate::config::{self, Config, Endpoint, JetStreamConsumer, JetStreamSource};
use crate::flow::{Sink, Surface};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of the dead letters of a stream of which the configuration says nothing.
const LETTERS_BYTES_MAX: i64 = 1 << 30;

/// What a place is opened for: another one takes its place where this differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlaceConfig {
    Socket(Box<config::Socket>),
    /// A consumer, whether one that is another is changed, how many servers keep its dead letters, and how many bytes.
    Consumer(JetStreamConsumer, bool, usize, i64),
    /// A subject, which its name says.
    Subject,
}

impl PlaceConfig {
    /// Where it binds.
    pub(super) fn bind(&self) -> &[Endpoint] {
        match self {
            Self::Socket(socket) => &socket.bind,
            Self::Consumer(..) | Self::Subject => &[],
        }
    }

    /// The socket that it is, if it is one.
    pub(super) fn socket(&self) -> Option<&config::Socket> {
        match self {
            Self::Socket(socket) => Some(socket),
            Self::Consumer(..) | Self::Subject => None,
        }
    }
}

/// The places that flows and routes name.
pub(super) fn used(config: &Config) -> BTreeMap<&String, PlaceConfig> {
    let unused = config.unused_sockets();
    let sockets = config.sockets.iter().filter(|(name, _)| !unused.contains(&name.as_str()));
    let sockets = sockets.map(|(name, socket)| (name, PlaceConfig::Socket(Box::new(socket.clone()))));
    sockets.chain(config.jetstream_places().into_iter().map(|name| (name, in_jetstream(config, name)))).collect()
}

fn in_jetstream(config: &Config, name: &str) -> PlaceConfig {
    let Some(source) = JetStreamSource::of(name) else { return PlaceConfig::Subject };
    let stream = config.streams.get(&source.stream);
    let (manage, replicas, bytes_max) =
        stream.map_or((false, 1, LETTERS_BYTES_MAX), |stream| (stream.manage, stream.replicas, stream.max_bytes));
    PlaceConfig::Consumer(config.jetstream_consumer(&source), manage, replicas, bytes_max)
}

impl Flows {
    /// Opens a place, which nobody reads or writes yet.
    ///
    /// # Errors
    /// When it cannot be opened; names it.
    pub(super) async fn open_place(
        &self,
        config: &Config,
        name: &str,
        place: &PlaceConfig,
    ) -> Result<OpenSocket, String> {
        let opened = match place {
            PlaceConfig::Socket(socket) => return self.open_socket(config, name, socket).await,
            PlaceConfig::Consumer(consumer, manage, replicas, letters_bytes_max) => {
                let source = JetStreamSource::of(name).ok_or_else(|| format!("{name} is no consumer"))?;
                let settings = ConsumerSettings {
                    name: name.to_owned(),
                    source,
                    config: consumer.clone(),
                    manage: *manage,
                    replicas: *replicas,
                    letters_bytes_max: *letters_bytes_max,
                };
                let hops = [name.to_owned(), format!("{name}.redelivered")].map(|name| self.ledger.hop(&name));
                let letters = self.letters.clone();
                let line: LetterLine = Arc::new(move |lost| letters.line(lost));
                let consumer = self.backbone(config).await?.consumer(settings, hops, line);
                OpenSocket {
                    config: place.clone(),
                    surface: Arc::clone(&consumer) as Arc<dyn Surface>,
                    sink: None,
                    source: Some(Source::JetStream(consumer)),
                }
            }
            PlaceConfig::Subject => {
                let subjects = config.jetstream_places().into_iter().filter(|name| JetStreamSource::of(name).is_none());
                let subject = Config::jetstream_subject(name).ok_or_else(|| format!("{name} is no subject"))?;
                let settings = SinkSettings {
                    name: name.to_owned(),
                    subject,
                    bounds: config.inlet_bounds_of(name),
                    in_flight_max: config.nats.as_ref().map_or(1, |nats| nats.in_flight_max),
                    is_one_of_several: subjects.count() > 1,
                };
                let sink = self.backbone(config).await?.sink(settings, self.ledger.hop(name));
                OpenSocket {
                    config: place.clone(),
                    surface: Arc::clone(&sink) as Arc<dyn Surface>,
                    sink: Some(sink as Arc<dyn Sink>),
                    source: None,
                }
            }
        };
        self.surfaces.add(Arc::clone(&opened.surface));
        Ok(opened)
    }

    /// The connection to NATS, which is made for the first place there.
    async fn backbone(&self, config: &Config) -> Result<Arc<Backbone>, String> {
        let nats = config.nats.as_ref().ok_or("there is no [nats]")?;
        let connect = async || Backbone::connect(nats, &config.streams, &self.supervisor).await.map(Arc::new);
        let backbone = self.backbone.get_or_try_init(connect).await?;
        backbone.set_streams(&config.streams);
        Ok(Arc::clone(backbone))
    }
}
