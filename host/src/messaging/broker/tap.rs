//! Where whoever watches sees the requests of the frontend and the replies that were sent, and whoever records the calls.

use super::core::QueuedReply;
use crate::flow::{Message, Passing, Place, Point, Processed, Recording, Stage, Taps};
use futures_util::future::BoxFuture;

/// What the name of a policy begins with that is a flow.
const FLOW: &str = "flows.";

/// The tap of one broker.
#[derive(Clone)]
pub(super) struct Tap {
    policy: String,
    taps: Taps,
    recording: Recording,
}

impl Tap {
    /// Of the broker with the policy of this name.
    pub(super) fn new(policy: &str, taps: Taps, recording: Recording) -> Self {
        Self { policy: policy.to_owned(), taps, recording }
    }

    /// A request that is about to be answered: the identity of its client is its first frame.
    pub(super) fn see_request(&self, message: &Message) {
        self.taps.see(|| {
            let mut passing = Passing::of(Point::Request, self.place(), message);
            if !passing.frames.is_empty() {
                passing.identity = Some(passing.frames.remove(0));
            }
            passing
        });
    }

    /// A reply that was sent.
    pub(super) fn see_reply(&self, reply: &QueuedReply) {
        self.taps.see(|| Passing {
            point: Point::Reply,
            place: self.place(),
            id: reply.request_id().to_string().into(),
            from: None,
            to: Default::default(),
            identity: Some(reply.identity()),
            frames: reply.body().collect(),
            metadata: &[],
        });
    }

    /// Has the policy process a request. The calls of a flow are recorded where each is made.
    pub(super) fn call(&self, policy: &dyn Stage, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        match self.place() {
            place @ Place::Policy(_) => self.recording.at(place).call(policy, 0, number, message, number),
            Place::Flow(_) | Place::Route(_) => policy.process(message, number),
        }
    }

    fn place(&self) -> Place<'_> {
        self.policy.strip_prefix(FLOW).map_or(Place::Policy(&self.policy), Place::Flow)
    }
}
