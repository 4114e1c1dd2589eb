//! How a consumer is opened: it is made if it is not there, and pulled from.

use super::ConsumerSettings;
use super::pulling::Pulling;
use crate::backbone::connection::Connection;
use crate::backbone::streams::StreamKeeper;
use crate::config::JETSTREAM_PULL_MESSAGES_MAX;
use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::context::{ConsumerInfoError, ConsumerInfoErrorKind};
use std::time::Duration;

/// A consumer that is pulled from.
pub(super) struct Opened {
    pub(super) messages: Pulling,
    /// When its stream was made, in nanoseconds since 1970.
    pub(super) made: i128,
    /// After which time what is not acknowledged is delivered again.
    pub(super) ack_wait: Duration,
}

/// Begins to pull from the consumer of these settings, `one_by_one` or in batches.
///
/// # Errors
/// When there is no such stream, the consumer is one that loses messages, or the servers do not answer; says which.
pub(super) async fn open(
    connection: &Connection,
    streams: &StreamKeeper,
    settings: &ConsumerSettings,
    one_by_one: bool,
) -> Result<Opened, String> {
    let ConsumerSettings { name, source, config, manage, .. } = settings;
    let failed = |error: &dyn std::fmt::Display| format!("the consumer {}: {error}", source.consumer);
    let wanted = pull::Config {
        durable_name: Some(source.consumer.clone()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_millis(config.ack_wait_ms),
        max_ack_pending: i64::try_from(config.max_ack_pending).unwrap_or(i64::MAX),
        // How often is for the host to say, which writes dead letters.
        max_deliver: -1,
        filter_subject: config.filter.clone(),
        ..pull::Config::default()
    };
    let stream = connection.jetstream().get_stream(&source.stream).await;
    let stream = stream.map_err(|error| {
        // Somebody may have deleted it.
        streams.make(&source.stream);
        format!("the stream {}: {error}: make it, or say in [streams.{0}] what it is", source.stream)
    })?;
    let there: Result<PullConsumer, _> = stream.get_consumer(&source.consumer).await;
    let consumer = match there {
        Ok(consumer) => {
            let is = &consumer.cached_info().config;
            if is.ack_policy != AckPolicy::Explicit || is.max_deliver > 0 {
                return Err(failed(
                    &"it is there, and drops messages by itself: name another, or remove it; it is to have the ack policy \
                      explicit and no max_deliver",
                ));
            }
            let is_as_wanted = (is.ack_wait, is.max_ack_pending, &is.filter_subject)
                == (wanted.ack_wait, wanted.max_ack_pending, &wanted.filter_subject);
            if is_as_wanted {
                consumer
            } else if *manage {
                tracing::info!(consumer = name, "consumer changed");
                stream.create_consumer(wanted).await.map_err(|error| failed(&error))?
            } else {
                tracing::warn!(
                    consumer = name,
                    ack_wait_ms = is.ack_wait.as_millis() as u64,
                    max_ack_pending = is.max_ack_pending,
                    filter = is.filter_subject,
                    "the consumer is there and is another than the configuration says; it stays as it is, unless \
                     streams.{}.manage is true",
                    source.stream
                );
                consumer
            }
        }
        Err(error) if !is_missing(&error) => return Err(failed(&error)),
        Err(_) => stream.create_consumer(wanted).await.map_err(|error| failed(&error))?,
    };
    let batch = if one_by_one { 1 } else { config.max_ack_pending.min(JETSTREAM_PULL_MESSAGES_MAX) };
    let made = stream.cached_info().created.unix_timestamp_nanos();
    let ack_wait = consumer.cached_info().config.ack_wait;
    let messages = Pulling::start(connection, source, batch).await.map_err(|error| failed(&error))?;
    Ok(Opened { messages, made, ack_wait })
}

/// Whether the servers say that there is no such consumer.
fn is_missing(error: &async_nats::Error) -> bool {
    error.downcast_ref::<ConsumerInfoError>().is_some_and(|error| error.kind() == ConsumerInfoErrorKind::NotFound)
}
