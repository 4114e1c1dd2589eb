//! The handle of a sink: what flows and routes write to, and what is told of it.

use super::SinkSettings;
use super::core::SendingCore;
use super::queue::SinkQueue;
use super::sending::Sending;
use crate::backbone::complaint::Complaint;
use crate::backbone::connection::Connection;
use crate::backbone::streams::StreamKeeper;
use crate::flow::mailbox::Room;
use crate::flow::{Health, Message, OfferError, Receipt, Reserved, Side, Sink, State, Statistics, Surface};
use crate::ledger::{Hop, Reason};
use crate::log_limit::LogLimit;
use crate::system::supervisor::Supervisor;
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout_at;

/// How much later than the deadline its task may end.
const LATE_MAX: Duration = Duration::from_millis(200);

/// A sink that runs until it is told to end.
pub struct JetStreamSink {
    queue: Arc<SinkQueue>,
    connection: Arc<Connection>,
    streams: Arc<StreamKeeper>,
    complaint: Complaint,
    deadline: watch::Sender<Option<Instant>>,
    task: AsyncMutex<Option<JoinHandle<()>>>,
    /// Those who wait for the connection to have room.
    away: Arc<Mutex<Vec<Waker>>>,
}

/// What one message is given.
enum Place {
    /// A subject, and room in the queue.
    Queue(String, Room),
    /// None: it never reaches a stream, and this is said of it.
    None(Receipt),
}

impl JetStreamSink {
    pub(in crate::backbone) fn start(
        settings: SinkSettings,
        hop: Arc<Hop>,
        connection: Arc<Connection>,
        streams: Arc<StreamKeeper>,
        supervisor: &Supervisor,
    ) -> Arc<Self> {
        let (in_flight_max, part) = (settings.in_flight_max, settings.name.clone());
        let queue = Arc::new(SinkQueue::new(settings, hop));
        let (deadline, is_to_end) = watch::channel(None);
        let complaint = Complaint::default();
        let sending = Sending {
            queue: Arc::clone(&queue),
            connection: Arc::clone(&connection),
            streams: Arc::clone(&streams),
            log_limit: LogLimit::default(),
            core: SendingCore::new(in_flight_max, connection.ack_timeout),
            is_closed: false,
            complaint: complaint.clone(),
            deadline: is_to_end,
        };
        let away = Arc::<Mutex<Vec<Waker>>>::default();
        let (mut link, waiting) = (connection.watch(), Arc::clone(&away));
        let task = supervisor.task(&part, async move {
            let waking = async {
                while link.changed().await.is_ok() {
                    if link.borrow_and_update().is_none() {
                        wake_all(&waiting);
                    }
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = sending.run() => {}
                () = waking => {}
            }
            wake_all(&waiting);
            Ok(())
        });
        let task = tokio::spawn(async move {
            // The supervisor has reported a panic.
            let _ = task.await;
        });
        Arc::new(Self { queue, connection, streams, complaint, deadline, task: AsyncMutex::new(Some(task)), away })
    }

    /// Takes the place of a message.
    fn place(&self, message: &Message) -> Result<Place, OfferError> {
        // What is told to end is flushed as far as it can be.
        if let Some(complaint) = self.connection.complaint()
            && !self.queue.waiting.is_closed()
        {
            return Err(OfferError::Full(complaint));
        }
        let subject = match self.queue.subject(message, self.connection.message_bytes_max()) {
            Ok(subject) => subject,
            Err(receipt) => return Ok(Place::None(receipt)),
        };
        let room = self.queue.waiting.reserve(message.bytes()).map_err(|error| self.queue.full(error))?;
        Ok(Place::Queue(subject, room))
    }

    /// Has a message sent that has this place.
    fn put(&self, message: &Message, place: Place) -> Result<Receipt, OfferError> {
        match place {
            Place::Queue(subject, room) => self.queue.put(message, subject, room),
            Place::None(receipt) => Ok(receipt),
        }
    }
}

fn wake_all(waiting: &Mutex<Vec<Waker>>) {
    let waiting = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
    waiting.into_iter().for_each(Waker::wake);
}

impl Sink for JetStreamSink {
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        let place = self.place(message)?;
        self.put(message, place)
    }

    fn reserve<'a>(&'a self, message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        let place = self.place(message)?;
        Ok(Box::new(move || self.put(message, place)))
    }

    fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.connection.is_there() && !self.queue.waiting.is_closed() {
            if !away.iter().any(|waiting| waiting.will_wake(waker)) {
                away.push(waker.clone());
            }
            return false;
        }
        drop(away);
        self.queue.waiting.await_room(bytes, waker)
    }

    fn receipt_time_max(&self) -> Option<Duration> {
        Some(self.connection.ack_timeout)
    }
}

impl Surface for JetStreamSink {
    fn name(&self) -> &str {
        self.queue.name()
    }

    fn endpoint(&self) -> String {
        self.connection.url().to_owned()
    }

    fn side(&self) -> Side {
        Side::Sink
    }

    fn health(&self) -> Health {
        let unacknowledged = || self.complaint.get();
        let obstacle = self.connection.complaint().or_else(|| self.streams.complaint()).or_else(unacknowledged);
        Health { state: State::Running, obstacle }
    }

    fn statistics(&self, statistics: &mut Statistics) {
        let mut counted = statistics.of(Some(("surface", self.queue.name())));
        let says = "Messages that wait to be sent to JetStream, or to be acknowledged";
        counted.gauge(("jetstream_unacknowledged_messages", None, says), self.queue.waiting.len() as u64);
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        self.queue.waiting.close();
        self.deadline.send_replace(Some(deadline));
        wake_all(&self.away);
        Box::pin(async move {
            if let Some(task) = self.task.lock().await.take() {
                let _ = timeout_at((deadline + LATE_MAX).into(), task).await;
            }
            self.queue.hop().figures().dropped(Reason::Abandoned)
        })
    }
}
