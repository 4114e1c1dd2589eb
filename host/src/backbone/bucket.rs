//! A bucket in JetStream, which the plugins of the same name on many hosts share: a store of keys and values as NATS has them.

mod key;

use super::connection::Connection;
use crate::buckets::{Bucket, BucketError, BucketFigures, Operation, Performed, Reply};
use crate::config::{self, BUCKET_PAGE_KEYS, Nats};
use async_nats::jetstream;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, LastRawMessageErrorKind, RetentionPolicy, StorageType, Stream,
};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use key::{decoded, encoded};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

/// How often an increment is tried again that others have been before.
const TRIES_MAX: usize = 32;

/// The connection of all buckets, which is made for the first that is used.
pub struct BucketConnection {
    nats: Nats,
    connection: OnceCell<Connection>,
}

impl BucketConnection {
    /// Not connected yet.
    pub fn new(nats: Nats) -> Self {
        Self { nats, connection: OnceCell::new() }
    }

    async fn get(&self) -> Result<&Connection, BucketError> {
        let opened = self.connection.get_or_try_init(|| Connection::open(&self.nats)).await;
        let connection = opened.map_err(BucketError::Unavailable)?;
        // The first call waits as long as it may; the next ones are told at once.
        connection.met().await;
        match connection.complaint() {
            Some(complaint) => Err(BucketError::Unavailable(complaint)),
            None => Ok(connection),
        }
    }
}

/// A bucket of one plugin.
pub struct NatsBucket {
    name: String,
    connection: Arc<BucketConnection>,
    bounds: Mutex<config::Bucket>,
    /// The stream, once it is as the bounds say.
    stream: AsyncMutex<Option<Stream>>,
    refused: AtomicU64,
}

impl NatsBucket {
    /// The bucket of this name of a plugin, under these bounds.
    pub fn new(connection: Arc<BucketConnection>, plugin: &str, name: &str, bounds: &config::Bucket) -> Self {
        // Neither name has capitals, so that no two pairs are alike.
        let (name, stream, refused) = (format!("{name}_OF_{plugin}"), AsyncMutex::default(), AtomicU64::new(0));
        Self { name, connection, bounds: Mutex::new(bounds.clone()), stream, refused }
    }

    fn subject(&self, key: &str) -> String {
        format!("$KV.{}.{}", self.name, encoded(key))
    }

    fn bounds(&self) -> config::Bucket {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The stream, which is made if it is not there, and changed if its bounds are others.
    async fn stream(&self) -> Result<Stream, BucketError> {
        let connection = self.connection.get().await?;
        let mut kept = self.stream.lock().await;
        if let Some(stream) = &*kept {
            return Ok(stream.clone());
        }
        let wanted = self.wanted();
        let jetstream = connection.jetstream();
        let made = jetstream.get_or_create_stream(wanted.clone()).await.map_err(unavailable)?;
        let there = &made.cached_info().config;
        let said = |config: &Config| (config.max_messages, config.max_bytes, config.max_age);
        if said(there) != said(&wanted) {
            let num_replicas = there.num_replicas;
            jetstream.update_stream(Config { num_replicas, ..wanted }).await.map_err(unavailable)?;
        }
        Ok(kept.insert(made).clone())
    }

    fn wanted(&self) -> Config {
        let config::Bucket { keys_max, bytes_max, ttl_ms, .. } = self.bounds();
        Config {
            name: format!("KV_{}", self.name),
            subjects: vec![format!("$KV.{}.>", self.name)],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            max_messages: i64::try_from(keys_max).unwrap_or(i64::MAX),
            max_messages_per_subject: 1,
            max_bytes: i64::try_from(bytes_max).unwrap_or(i64::MAX),
            max_age: Duration::from_millis(ttl_ms),
            allow_rollup: true,
            allow_direct: true,
            ..Config::default()
        }
    }

    async fn last(&self, key: &str) -> Result<Option<StreamMessage>, BucketError> {
        let stream = self.stream().await?;
        match stream.get_last_raw_message_by_subject(&self.subject(key)).await {
            // What other clients delete leaves a mark.
            Ok(message) => Ok(Some(message).filter(|message| message.headers.get("KV-Operation").is_none())),
            Err(error) => match error.kind() {
                LastRawMessageErrorKind::NoMessageFound => Ok(None),
                LastRawMessageErrorKind::JetStream(error) if error.code() == 404 => Ok(None),
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Writes a value; with a version, only if the key still has that. Returns false if it has not.
    async fn write(&self, key: &str, value: Bytes, version: Option<u64>) -> Result<bool, BucketError> {
        self.stream().await?;
        let connection = self.connection.get().await?;
        let message = PublishMessage::build().payload(value);
        let message = match version {
            Some(version) => message.expected_last_subject_sequence(version),
            None => message,
        };
        let sent = connection.jetstream().send_publish(self.subject(key), message).await;
        let stored = match sent {
            Ok(stored) => stored.await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Err(error) => Err(self.not_written(&error)),
        }
    }

    fn not_written(&self, error: &PublishError) -> BucketError {
        let refusal = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
        let text = refusal.map(ToString::to_string).unwrap_or_default();
        let config::Bucket { keys_max, bytes_max, .. } = self.bounds();
        let (bound, max) = match () {
            () if text.contains("maximum messages") => ("keys_max", keys_max),
            () if text.contains("maximum bytes") => ("bytes_max", bytes_max),
            () => return unavailable(error),
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        BucketError::Full { bound, max }
    }

    async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let stream = self.stream().await?;
        stream.purge().filter(self.subject(key)).await.map(drop).map_err(unavailable)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, BucketError> {
        for _ in 0..TRIES_MAX {
            let last = self.last(key).await?;
            let (value, version) = last.map_or((None, 0), |last| (Some(last.payload), last.sequence));
            let sum = crate::buckets::incremented(key, value.as_deref(), delta)?;
            if self.write(key, sum.to_string().into(), Some(version)).await? {
                return Ok(sum);
            }
        }
        Err(BucketError::Unavailable(format!("others were before it {TRIES_MAX} times")))
    }

    async fn keys(&self, cursor: Option<&str>) -> Result<Reply, BucketError> {
        let stream = self.stream().await?;
        let prefix = format!("$KV.{}.", self.name);
        let mut subjects = stream.info_with_subjects(format!("{prefix}>")).await.map_err(unavailable)?;
        let mut keys = Vec::new();
        while let Some(subject) = subjects.next().await {
            let (subject, _) = subject.map_err(unavailable)?;
            keys.extend(subject.strip_prefix(&prefix).and_then(decoded));
        }
        keys.sort_unstable();
        let behind = |key: &String| cursor.is_none_or(|cursor| key.as_str() > cursor);
        let keys: Vec<_> = keys.into_iter().filter(behind).take(BUCKET_PAGE_KEYS).collect();
        let cursor = keys.last().filter(|_| keys.len() == BUCKET_PAGE_KEYS).cloned();
        Ok(Reply::Keys { keys, cursor })
    }

    async fn versioned(&self, key: &str) -> Performed {
        let last = self.last(key).await?;
        let (value, version) = last.map_or((None, 0), |last| (Some(last.payload), last.sequence));
        Ok(Reply::Versioned { value, version })
    }
}

impl Bucket for NatsBucket {
    fn perform(&self, operation: Operation) -> BoxFuture<'_, Performed> {
        Box::pin(async move {
            operation.check()?;
            match operation {
                Operation::Get { key } => Ok(Reply::Value(self.last(&key).await?.map(|last| last.payload))),
                Operation::Set { key, value } => self.write(&key, value, None).await.map(|_| Reply::Done),
                Operation::Delete { key } => self.delete(&key).await.map(|()| Reply::Done),
                Operation::Exists { key } => Ok(Reply::Exists(self.last(&key).await?.is_some())),
                Operation::ListKeys { cursor } => self.keys(cursor.as_deref()).await,
                Operation::Increment { key, delta } => self.increment(&key, delta).await.map(Reply::Number),
                Operation::Watch { key } => self.versioned(&key).await,
                Operation::Swap { key, version, value } => match self.write(&key, value, Some(version)).await? {
                    true => Ok(Reply::Done),
                    false => self.versioned(&key).await,
                },
            }
        })
    }

    fn configure(&self, bounds: &config::Bucket) {
        *self.bounds.lock().unwrap_or_else(PoisonError::into_inner) = bounds.clone();
        // Whoever holds it looks at the stream just now, with the bounds before; the next change is as good.
        if let Ok(mut stream) = self.stream.try_lock() {
            *stream = None;
        }
    }

    fn figures(&self) -> BucketFigures {
        BucketFigures { refused: self.refused.load(Ordering::Relaxed), ..BucketFigures::default() }
    }
}

fn unavailable(error: impl std::fmt::Display) -> BucketError {
    BucketError::Unavailable(error.to_string())
}
