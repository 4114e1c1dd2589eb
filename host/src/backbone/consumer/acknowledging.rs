//! The task that tells the servers what became of deliveries: acknowledged, to be delivered again, or a dead letter; and of those
//! that are being worked on, that they are.

use super::held::Deliveries;
use super::reading::Reader;
use super::verdict::{Ended, Standing, Verdict};
use super::{ConsumerSettings, LetterLine};
use crate::backbone::connection::Connection;
use crate::backbone::frames::MESSAGE_ID;
use crate::backbone::retry::doubled;
use crate::config::JetStreamConsumer;
use crate::flow::{Fault, Lost};
use crate::log_limit::LogLimit;
use async_nats::HeaderMap;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::time::timeout;

/// A delivery is said to be worked on in this part of the time after which it would be delivered again.
const PROGRESS_PARTS: u32 = 3;
/// How often it is looked whether one is to be said to be worked on.
const LOOK: Duration = Duration::from_millis(100);
/// For an acknowledgement to be handed to the client, which waits where a server takes nothing.
const TELL_MAX: Duration = Duration::from_secs(1);
/// What a dead letter has beside its body, at most.
const LETTER_BYTES: usize = 64 << 10;
/// For so long a dead letter may take to be stored; then the message is delivered again.
const LETTER_MAX: Duration = Duration::from_secs(10);

/// What the task owns.
pub(super) struct Acknowledging {
    pub(super) settings: ConsumerSettings,
    pub(super) deliveries: Arc<Deliveries>,
    pub(super) ended: UnboundedReceiver<Ended>,
    pub(super) connection: Arc<Connection>,
    pub(super) letters: LetterLine,
    pub(super) dead_letters: Arc<AtomicU64>,
    pub(super) reader: watch::Receiver<Reader>,
    pub(super) log_limit: LogLimit,
}

impl Acknowledging {
    /// Runs until nothing is read any more and all that was delivered has come to its end.
    pub(super) async fn run(mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        while !(self.reader.borrow_and_update().has_ended && self.deliveries.is_empty()) {
            tokio::select! {
                Some(ended) = self.ended.recv() => self.end(ended).await,
                changed = self.reader.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {
                    // A server that is away delivers all again when it comes.
                    if self.connection.is_there() {
                        let silence = self.deliveries.ack_wait() / PROGRESS_PARTS;
                        for acker in self.deliveries.silent(silence, Instant::now()) {
                            self.tell(&acker, AckKind::Progress).await;
                        }
                    }
                }
            }
        }
    }

    async fn end(&mut self, Ended { standing, deliveries, verdict }: Ended) {
        let pause = pause(&self.settings.config, deliveries);
        let kind = match verdict {
            Verdict::Done => AckKind::Ack,
            Verdict::Returned { at_once } => AckKind::Nak((!at_once).then_some(pause)),
            Verdict::Failed(lost) if is_dead(&lost, deliveries, &self.settings.config) => {
                // Of a stream that was made anew there is nothing to tell.
                if self.deliveries.acker(standing).is_some() {
                    self.bury(standing, *lost, pause);
                }
                return;
            }
            Verdict::Failed(lost) => {
                let why = &lost.failure.detail;
                tracing::debug!(
                    consumer = self.settings.name,
                    sequence = standing.sequence,
                    deliveries,
                    "it is delivered again: {why}"
                );
                AckKind::Nak(Some(pause))
            }
        };
        if let Some(acker) = self.deliveries.end(standing) {
            self.tell(&acker, kind).await;
        }
    }

    async fn tell(&mut self, acker: &Acker, kind: AckKind) {
        // The server delivers again what it has not heard of.
        let told = timeout(TELL_MAX, acker.ack_with(kind)).await.unwrap_or_else(|late| Err(late.into()));
        if let Err(error) = told
            && let Some(times) = self.log_limit.note(Instant::now())
        {
            tracing::warn!(consumer = self.settings.name, %error, times, "acknowledging");
        }
    }

    /// Writes a dead letter beside what else there is to do: only when that is stored the message is gone. Until then it is held,
    /// so that the server does not deliver it again, and the end waits for it.
    fn bury(&mut self, standing: Standing, mut lost: Lost, pause: Duration) {
        let (connection, settings) = (Arc::clone(&self.connection), self.settings.clone());
        let deliveries = Arc::clone(&self.deliveries);
        // The body is in base64 there.
        let bytes = lost.input.bytes();
        if self.connection.message_bytes_max().is_some_and(|bytes_max| bytes / 3 * 4 + LETTER_BYTES > bytes_max) {
            lost.failure.detail += &format!(
                "; the letter has no room for its {bytes} bytes, which the stream {} has as {}",
                settings.source.stream, standing.sequence
            );
            lost.input.frames.clear();
        }
        let is_told = self.log_limit.note(Instant::now());
        let (line, dead_letters) = ((self.letters)(lost), Arc::clone(&self.dead_letters));
        tokio::spawn(async move {
            let stored = timeout(LETTER_MAX, store(&connection, &settings, standing, line)).await;
            match stored.unwrap_or_else(|_| Err("it takes too long".to_owned())) {
                Ok(()) => {
                    dead_letters.fetch_add(1, Ordering::Relaxed);
                    if let Some(times) = is_told {
                        tracing::warn!(
                            consumer = settings.name,
                            sequence = standing.sequence,
                            times,
                            "a message became a dead letter"
                        );
                    }
                    // If this is lost it is delivered once more, and stored once: its letter is known by its id.
                    if let Some(acker) = deliveries.acker(standing) {
                        let _ = acker.double_ack_with(AckKind::Term).await;
                    }
                    deliveries.end(standing);
                }
                Err(error) => {
                    if let Some(times) = is_told {
                        tracing::warn!(
                            consumer = settings.name,
                            sequence = standing.sequence,
                            times,
                            "storing a dead letter: {error}"
                        );
                    }
                    if let Some(acker) = deliveries.end(standing) {
                        let _ = acker.ack_with(AckKind::Nak(Some(pause))).await;
                    }
                }
            }
        });
    }
}

/// How long a message rests that was delivered so often.
fn pause(config: &JetStreamConsumer, deliveries: u32) -> Duration {
    let [first, longest] = [config.retry_ms, config.retry_ms_max].map(Duration::from_millis);
    doubled(first, longest, deliveries)
}

/// Whether a message is delivered no more: it was often enough, or is at fault itself, which no other try changes.
fn is_dead(lost: &Lost, deliveries: u32, config: &JetStreamConsumer) -> bool {
    lost.failure.fault == Fault::Sender || deliveries >= config.deliveries_max
}

/// # Errors
/// When it is not acknowledged.
async fn store(
    connection: &Connection,
    settings: &ConsumerSettings,
    Standing { made, sequence }: Standing,
    line: Vec<u8>,
) -> Result<(), String> {
    let (stream, consumer) = (&settings.source.stream, &settings.source.consumer);
    let name = settings.config.dead_letters_of(stream);
    let subject = format!("{name}.{consumer}");
    let wanted = Config {
        name: name.clone(),
        subjects: vec![format!("{name}.*")],
        // With any other, nobody could look at them.
        retention: RetentionPolicy::Limits,
        num_replicas: settings.replicas,
        max_bytes: settings.letters_bytes_max,
        ..Config::default()
    };
    let letters = connection.jetstream().get_or_create_stream(wanted).await;
    letters.map_err(|error| format!("the stream {name}: {error}"))?;
    let mut headers = HeaderMap::new();
    headers.insert(MESSAGE_ID, format!("{stream}/{consumer}/{made:x}/{sequence}"));
    let sent = connection.jetstream().publish_with_headers(subject, headers, line.into()).await;
    let stored = sent.map_err(|error| error.to_string())?.await;
    stored.map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Failure, Message, Met};
    use crate::ledger::Reason;

    fn lost(fault: Fault) -> Lost {
        let failure = Failure {
            reason: Reason::Trapped,
            fault,
            detail: String::new(),
            public_detail: String::new(),
            retry_after: None,
        };
        let (flow, stage) = ("f".to_owned(), "s".to_owned());
        Lost { flow, stage, number: 1, met: Met::default(), by: None, failure, input: Message::default() }
    }

    #[test]
    fn a_message_is_tried_with_growing_pauses_and_then_no_more() {
        let config = JetStreamConsumer { deliveries_max: 3, retry_ms: 100, retry_ms_max: 300, ..Default::default() };
        let pauses = [1, 2, 3, 4].map(|deliveries| pause(&config, deliveries).as_millis());
        assert_eq!(pauses, [100, 200, 300, 300]);
        let dead = |fault, deliveries| is_dead(&lost(fault), deliveries, &config);
        assert_eq!([1, 2, 3, 9].map(|deliveries| dead(Fault::Stage, deliveries)), [false, false, true, true]);
        assert!(dead(Fault::Sender, 1) && !dead(Fault::Late, 1));
    }
}
