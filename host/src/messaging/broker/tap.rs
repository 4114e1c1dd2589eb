//! Where whoever watches sees the requests of the frontend and the replies that were sent.

use super::core::QueuedReply;
use crate::flow::{Message, Passing, Place, Point, Taps};

/// What the name of a policy begins with that is a flow.
const FLOW: &str = "flows.";

/// The tap of one broker.
#[derive(Clone)]
pub(super) struct Tap {
    policy: String,
    taps: Taps,
}

impl Tap {
    /// Of the broker with the policy of this name.
    pub(super) fn new(policy: &str, taps: Taps) -> Self {
        Self { policy: policy.to_owned(), taps }
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

    fn place(&self) -> Place<'_> {
        self.policy.strip_prefix(FLOW).map_or(Place::Policy(&self.policy), Place::Flow)
    }
}
