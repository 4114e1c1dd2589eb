//! Pulling: the servers are asked for the messages of a consumer in batches, as they are read.
//!
//! The client has a stream of its own for that, which takes the status that somebody has stored among the headers of a message for
//! the server's word: then it ends, or throws the message away, which comes again for ever.

use crate::backbone::complaint::words;
use crate::backbone::connection::Connection;
use crate::config::JetStreamSource;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The server says that it is there in this time, where it has nothing else to say.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A server that says nothing for so long has forgotten what it was asked for.
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// How long one request for messages is valid.
const EXPIRES: Duration = Duration::from_secs(30);
/// By which the server says of how many messages a request that is over was.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

/// Messages of one consumer, as they come.
pub(super) struct Pulling {
    client: Client,
    jetstream: Context,
    came: Subscriber,
    /// The subject of this inbox, and where and how messages are asked for.
    inbox: String,
    subject: String,
    request: Bytes,
    /// Messages of a request.
    batch: usize,
    /// Messages that were asked for and have not come.
    asked: usize,
    heard: Instant,
}

impl Pulling {
    /// Of this consumer, in batches of so many messages.
    ///
    /// # Errors
    /// When the client has ended.
    pub(super) async fn start(connection: &Connection, source: &JetStreamSource, batch: usize) -> Result<Self, String> {
        let client = connection.client().clone();
        let inbox = client.new_inbox();
        let came = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
        let (expires, idle_heartbeat) = (nanoseconds(EXPIRES), nanoseconds(HEARTBEAT));
        let request = json!({"batch": batch, "expires": expires, "idle_heartbeat": idle_heartbeat});
        Ok(Self {
            jetstream: connection.jetstream().clone(),
            came,
            inbox,
            subject: format!("{}.CONSUMER.MSG.NEXT.{}.{}", connection.api_prefix(), source.stream, source.consumer),
            request: request.to_string().into(),
            client,
            batch,
            asked: 0,
            heard: Instant::now(),
        })
    }

    /// The next message, once there is one. Dropped before, it has lost none.
    ///
    /// # Errors
    /// When the server ends the delivery or is not heard of any more; says why.
    pub(super) async fn next(&mut self) -> Result<jetstream::Message, String> {
        loop {
            let deadline = self.heard + SILENCE_MAX;
            let came = async {
                self.ask().await?;
                self.came.next().await.ok_or_else(|| "the client of NATS has ended".to_owned())
            };
            let message = timeout_at(deadline, came).await.map_err(|_| "the server says nothing".to_owned())??;
            self.heard = Instant::now();
            if let Some(message) = self.take(message)? {
                return Ok(message);
            }
        }
    }

    /// A message that has come already. No more are asked for.
    pub(super) fn next_of_what_came(&mut self) -> Option<jetstream::Message> {
        loop {
            let message = self.came.next().now_or_never()??;
            // Whatever the server says, it is asked for nothing more.
            if let Ok(Some(message)) = self.take(message) {
                return Some(message);
            }
        }
    }

    /// Asks for as many as a batch has, before all that were asked for have come.
    async fn ask(&mut self) -> Result<(), String> {
        if self.asked <= self.batch / 2 {
            let (subject, inbox) = (self.subject.clone(), self.inbox.clone());
            let asked = self.client.publish_with_reply(subject, inbox, self.request.clone()).await;
            asked.map_err(|error| error.to_string())?;
            self.asked += self.batch;
        }
        Ok(())
    }

    /// Takes in what has come: a message, or the server's word.
    fn take(&mut self, came: async_nats::Message) -> Result<Option<jetstream::Message>, String> {
        match Word::of(&came)? {
            None => {
                self.asked = self.asked.saturating_sub(1);
                return Ok(Some(jetstream::Message { message: came, context: self.jetstream.clone() }));
            }
            Some(Word::Heartbeat) => {}
            Some(Word::Over { left }) => self.asked = left.map_or(0, |left| self.asked.saturating_sub(left)),
        }
        Ok(None)
    }
}

/// What the server says of a request.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// It is there.
    Heartbeat,
    /// A request is over, of which so many messages were left, if it says so.
    Over { left: Option<usize> },
}

impl Word {
    /// None of a message that was stored, whatever its headers are: it has a subject at which it is acknowledged, which the server's
    /// word has not.
    ///
    /// # Errors
    /// When nothing more comes.
    fn of(came: &async_nats::Message) -> Result<Option<Self>, String> {
        let Some(status) = came.status.filter(|_| came.reply.is_none()) else { return Ok(None) };
        let left = came.headers.as_ref().and_then(|headers| headers.get(PENDING_MESSAGES));
        let left = left.and_then(|left| left.as_str().parse().ok());
        match status {
            StatusCode::IDLE_HEARTBEAT => Ok(Some(Self::Heartbeat)),
            StatusCode::TIMEOUT => Ok(Some(Self::Over { left })),
            StatusCode::REQUEST_TERMINATED if left.is_some() => Ok(Some(Self::Over { left })),
            StatusCode::NO_RESPONDERS => Err("no server has it".to_owned()),
            status => {
                Err(format!("the server says {status} {}", words(came.description.as_deref().unwrap_or_default())))
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::HeaderMap;

    fn word(status: Option<u16>, reply: Option<&str>, pending: Option<&str>) -> Result<Option<Word>, String> {
        let mut headers = HeaderMap::new();
        pending.into_iter().for_each(|pending| headers.insert(PENDING_MESSAGES, pending));
        Word::of(&async_nats::Message {
            subject: "_INBOX.x".into(),
            reply: reply.map(Into::into),
            payload: Bytes::new(),
            headers: Some(headers),
            status: status.map(|status| StatusCode::from_u16(status).unwrap()),
            description: Some("Some Words".to_owned()),
            length: 0,
        })
    }

    #[test]
    fn the_word_of_the_server_is_told_from_what_was_stored_with_a_status() {
        for status in [None, Some(100), Some(404), Some(408), Some(409), Some(503)] {
            assert_eq!(word(status, Some("$JS.ACK.s.c.1.2.3.4.5"), None), Ok(None), "{status:?}");
        }
        assert_eq!(word(Some(100), None, None), Ok(Some(Word::Heartbeat)));
        assert_eq!(word(Some(408), None, Some("7")), Ok(Some(Word::Over { left: Some(7) })));
        assert_eq!(word(Some(408), None, Some("x")), Ok(Some(Word::Over { left: None })));
        assert_eq!(word(Some(409), None, Some("7")), Ok(Some(Word::Over { left: Some(7) })));
        assert_eq!(word(Some(409), None, None), Err("the server says 409 Some Words".to_owned()));
        assert!(word(Some(503), None, None).is_err() && word(Some(404), None, None).is_err());
    }
}
