//! The answers of JetStream to what a sink sends: each comes to an address that ends in the number of the message.

use super::core::Answer;
use crate::backbone::complaint::words;
use crate::backbone::connection::Connection;
use crate::ledger::Reason;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde::Deserialize;
use std::task::{Context, Poll, ready};

/// Where the answers to all that one sink sends come in. One subscription for all of them costs less than a request of the
/// client for each, which has a channel and a timer of its own.
pub(super) struct Answers {
    prefix: String,
    subscriber: Subscriber,
}

/// What was heard of one message.
pub(super) enum Heard {
    /// What became of it.
    Answer(Answer),
    /// No stream has its subject, or none whose leader is there.
    NoStream,
}

/// What JetStream answers.
#[derive(Deserialize)]
struct Said {
    error: Option<jetstream::Error>,
    #[serde(default)]
    seq: u64,
}

impl Answers {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the connection has ended for good.
    pub(super) async fn open(connection: &Connection) -> Result<Self, String> {
        let client = connection.client();
        let prefix = format!("{}.", client.new_inbox());
        let subscriber = client.subscribe(format!("{prefix}*")).await.map_err(|error| error.to_string())?;
        Ok(Self { prefix, subscriber })
    }

    /// Where the message of this number is answered.
    pub(super) fn address(&self, number: u64) -> String {
        format!("{}{number}", self.prefix)
    }

    /// The next answer, with the number of its message; none when the connection has ended for good.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<(u64, Heard)>> {
        while let Some(message) = ready!(self.subscriber.poll_next_unpin(context)) {
            let number = message.subject.strip_prefix(self.prefix.as_str()).and_then(|number| number.parse().ok());
            if let Some(number) = number {
                return Poll::Ready(Some((number, heard(&message))));
            }
        }
        Poll::Ready(None)
    }
}

fn heard(message: &Message) -> Heard {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Heard::NoStream;
    }
    Heard::Answer(match serde_json::from_slice::<Said>(&message.payload) {
        Ok(Said { error: Some(error), .. }) => match error.error_code() {
            ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => Answer::Refused(Reason::NotStored),
            // A long topic, or many frames.
            ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => Answer::Refused(Reason::TooLarge),
            _ => Answer::Unknown(words(&error.to_string())),
        },
        Ok(Said { error: None, seq: 1.. }) => Answer::Acknowledged,
        Ok(_) => Answer::Unknown("the answer is not of JetStream".to_owned()),
        Err(error) => Answer::Unknown(format!("the answer is not of JetStream: {error}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Option<StatusCode>, payload: &str) -> Option<Answer> {
        let payload = payload.to_owned().into();
        let (subject, length) = ("a".into(), 0);
        let message = Message { subject, reply: None, payload, headers: None, status, description: None, length };
        match heard(&message) {
            Heard::Answer(answer) => Some(answer),
            Heard::NoStream => None,
        }
    }

    #[test]
    fn only_what_says_where_it_is_stored_is_acknowledged() {
        for payload in
            [r#"{"stream":"a","seq":1}"#, r#"{"stream":"a","domain":"d","seq":18446744073709551615,"duplicate":true}"#]
        {
            assert_eq!(answer(None, payload), Some(Answer::Acknowledged), "{payload}");
        }
        let too_large = r#"{"error":{"code":400,"err_code":10054,"description":"x"},"stream":"a","seq":0}"#;
        assert_eq!(answer(None, too_large), Some(Answer::Refused(Reason::NotStored)));
        let head = r#"{"error":{"code":400,"err_code":10097,"description":"x"},"stream":"a","seq":0}"#;
        assert_eq!(answer(None, head), Some(Answer::Refused(Reason::TooLarge)));
        let full =
            r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"},"stream":"a","seq":7}"#;
        assert!(matches!(answer(None, full), Some(Answer::Unknown(why)) if why.contains("maximum bytes")));
        for payload in
            ["", "+ACK", "{}", r#"{"seq":0}"#, r#"{"seq":"1"}"#, r#"{"seq":-1}"#, "[1]", "null", "{\"seq\":1", "\0"]
        {
            assert!(matches!(answer(None, payload), Some(Answer::Unknown(_))), "{payload}");
        }
        assert_eq!(answer(Some(StatusCode::NO_RESPONDERS), ""), None);
    }
}
