//! A worker: takes one request at a time from the backend, calls the policy, and hands its replies to the broker loop.

use super::envelope::{Envelope, Frames};
use super::exchange::{BACKEND, Job, Note};
use super::origin::Origin;
use super::socket;
use crate::dead_letters::DeadLetters;
use crate::ledger::Reason;
use crate::plugin::{Answer, CallError, Reply, Request, Slot, lost};
use crate::request_id::RequestIds;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

/// What every worker of a broker works with. A worker keeps nothing between requests.
#[derive(Clone)]
pub(super) struct Worker {
    /// Holds the policy.
    pub(super) policy: Arc<Slot>,
    /// Where the policy's calls run.
    pub(super) runtime: Handle,
    /// Names the requests.
    pub(super) request_ids: Arc<RequestIds>,
    /// Takes the requests whose call failed.
    pub(super) dead_letters: DeadLetters,
    /// Gives up the calls that are in flight.
    pub(super) give_up: CancellationToken,
}

impl Worker {
    /// Opens a worker's socket.
    pub(super) fn open(context: &zmq::Context) -> Result<zmq::Socket, String> {
        let socket = context.socket(zmq::DEALER).map_err(socket::cause)?;
        // libzmq deals out requests in turn, to a busy worker too: let as few as possible wait behind a slow call.
        socket.set_rcvhwm(1).map_err(socket::cause)?;
        socket.set_linger(0).map_err(socket::cause)?;
        socket::connect(&socket, BACKEND)?;
        Ok(socket)
    }

    /// Works until the context is terminated.
    pub(super) fn run(&self, socket: zmq::Socket) {
        loop {
            let worked = socket::receive(&socket).and_then(|frames| self.work(&socket, frames));
            match worked {
                Ok(()) => {}
                Err(zmq::Error::ETERM) => return,
                // What fails here is the socket, for no message can make inproc fail.
                Err(error) => return tracing::error!(%error, "worker ends"),
            }
        }
    }

    /// Serves one request. Whatever becomes of it, the broker loop hears of its end.
    fn work(&self, socket: &zmq::Socket, frames: Frames) -> zmq::Result<()> {
        let Some(job) = Job::from_frames(frames) else {
            tracing::error!("a job without a number reached a worker");
            return Ok(());
        };
        let number = job.number;
        let notes = self.serve(job);
        let verdict = notes.as_ref().map(|_| ()).map_err(|reason| *reason);
        for note in notes.unwrap_or_default().into_iter().chain([Note::End { number, verdict }]) {
            socket::send(socket, &note.into_frames(), 0)?;
        }
        Ok(())
    }

    /// Calls the policy, and puts the envelope around each of its replies.
    fn serve(&self, job: Job) -> Result<Vec<Note>, Reason> {
        let number = job.number;
        let (envelope, frames) = Envelope::split(job.message).ok_or(Reason::Malformed)?;
        let request_id = self.request_ids.next();
        let mut metadata = vec![("tidegate.request-id".to_owned(), request_id.clone())];
        // What the log says of the request names the key too.
        let span = job.key.as_ref().map_or_else(Span::none, |key| tracing::info_span!("request", curve_key = key));
        metadata.extend(job.key.map(|key| ("tidegate.curve-key".to_owned(), key)));
        let mut request = Some(Request { identity: envelope.identity.clone(), metadata, frames });
        let call = async {
            #[cfg(debug_assertions)]
            request.as_ref().inspect(|request| panic_if_asked(request));
            let request = request.take().unwrap_or_default();
            tokio::select! {
                answer = self.policy.replies(request, number) => Ok(answer),
                () = self.give_up.cancelled() => Err(Reason::Abandoned),
            }
        };
        // A panic is the host's fault, and no reason to serve with one worker less.
        let Ok(answer) = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(call.instrument(span)))) else {
            tracing::error!(request_id, "calling the policy panicked");
            // Of a request that the policy had already, there is nothing left here but who asked.
            let input = request.unwrap_or_else(|| Request {
                identity: envelope.identity.clone(),
                metadata: vec![("tidegate.request-id".to_owned(), request_id)],
                frames: Vec::new(),
            });
            self.dead_letters.write(lost(self.policy.name(), number, None, &CallError::Panicked, input));
            return Err(Reason::Panicked);
        };
        let Answer { by, result, input } = answer?;
        let origin = Origin::new(&request_id, number, by.as_deref());
        let replies = match result {
            Ok(replies) => replies,
            Err(error) => {
                // Nobody else will tell: the client has no status to learn it from.
                let input = input.unwrap_or_default();
                self.dead_letters.write(lost(self.policy.name(), number, by.as_deref(), &error, input));
                return Err(error.reason());
            }
        };
        let mut delay_ms = 0;
        let note = |reply: Reply| {
            // A reply waits for the one before it; the broker loop counts from the end of the call.
            delay_ms += u64::from(reply.delay_ms);
            Note::Reply { delay_ms, origin: origin.clone(), message: envelope.join(reply.frames) }
        };
        Ok(replies.into_iter().map(note).collect())
    }
}

/// A fault to try the host with, in debug builds alone: a request that asks for a panic of the worker gets it, if the
/// environment allows for that.
#[cfg(debug_assertions)]
fn panic_if_asked(request: &Request) {
    if request.frames.first().is_some_and(|frame| frame == b"tidegate-fault-panic")
        && std::env::var_os("TIDEGATE_FAULTS").is_some_and(|value| value == "1")
    {
        panic!("a request asked for it, and TIDEGATE_FAULTS=1 allows it");
    }
}
