//! The dead letters of a stream, read from its beginning.

use super::connection::Connection;
use crate::config::Nats;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::timeout;

/// For a server to answer, and for the next letter to come.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Hands on each letter that a stream keeps now, the oldest first: a line of JSON with its end. Returns how many there are.
///
/// # Errors
/// When NATS or the stream is not there, and what `found` returns.
pub async fn each_letter(
    nats: &Nats,
    stream: &str,
    mut found: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<u64, String> {
    let connection = Connection::open(nats).await?;
    let mut link = connection.watch();
    let is_there = timeout(ANSWER_MAX, link.wait_for(Option::is_none)).await.is_ok();
    if let Some(complaint) = connection.complaint().filter(|_| !is_there) {
        return Err(complaint);
    }
    let failed = |error: &dyn std::fmt::Display| format!("the stream {stream}: {error}");
    let kept = connection.jetstream().get_stream(stream).await.map_err(|error| failed(&error))?;
    let count = kept.cached_info().state.messages;
    if count == 0 {
        return Ok(0);
    }
    let consumer = kept.create_consumer(OrderedConfig::default()).await.map_err(|error| failed(&error))?;
    let mut messages = consumer.messages().await.map_err(|error| failed(&error))?;
    for read in 1..=count {
        let next = timeout(ANSWER_MAX, messages.next()).await.map_err(|_| failed(&"it does not answer"))?;
        let Some(next) = next else { return Ok(read - 1) };
        let message = next.map_err(|error| failed(&error))?;
        found(&message.payload).map_err(|error| error.to_string())?;
        // Some may have gone since they were counted.
        if message.info().is_ok_and(|info| info.pending == 0) {
            return Ok(read);
        }
    }
    Ok(count)
}
