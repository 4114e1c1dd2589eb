//! Connections that end again and again while a consumer is read. One message can do that, each time it comes: the client of NATS
//! ends its connection where headers are none. What was on its way with it then comes with it again, and would never arrive.

use std::time::{Duration, Instant};

/// So many ends in a row may be the work of one message.
const CUTS_MAX: u32 = 3;

/// The ends of connections in a row, as far as they may have one cause.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    count: u32,
}

impl Cuts {
    /// A connection has ended on which the consumer was read since `began`. `ack_wait` is the time after which a message that was on
    /// its way comes again. Returns whether from now on messages are to be read one by one, and were not before.
    pub(super) fn note(&mut self, ack_wait: Duration, began: Instant, now: Instant) -> bool {
        let is_another = now.saturating_duration_since(began) < rest(ack_wait);
        self.count = if is_another { self.count.saturating_add(1) } else { 1 };
        self.count == CUTS_MAX
    }

    /// Whether messages are to be read one by one, so that none is on its way with one that ends the connection.
    pub(super) fn is_one_by_one(&self) -> bool {
        self.count >= CUTS_MAX
    }

    /// When that is over if nothing has happened since `began`; none where it is not so.
    pub(super) fn over_at(&self, ack_wait: Duration, began: Instant) -> Option<Instant> {
        self.is_one_by_one().then(|| began + rest(ack_wait))
    }
}

/// By then a message that ends the connection would have come once more.
fn rest(ack_wait: Duration) -> Duration {
    ack_wait.saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_one_by_one_after_some_ends_in_a_row() {
        let (mut cuts, start, wait) = (Cuts::default(), Instant::now(), Duration::from_secs(30));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut note = |began, now| (cuts.note(wait, at(began), at(now)), cuts.is_one_by_one());
        assert_eq!([note(0, 1), note(1, 31), note(31, 91)], [(false, false); 3]);
        assert_eq!([note(92, 120), note(121, 150), note(151, 180)], [(false, false), (true, true), (false, true)]);
        assert_eq!(cuts.over_at(wait, at(181)), Some(at(241)));
        assert!(!cuts.note(wait, at(181), at(241)));
        assert_eq!((cuts.is_one_by_one(), cuts.over_at(wait, at(242))), (false, None));
    }
}
