//! The timeouts of a connection: what its client is taking its time over, and since when.

use super::statistics::CutOff;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the head of a request.
    pub head: Duration,
    /// For each piece of an answer.
    pub answer: Duration,
    /// For the next request.
    pub idle: Duration,
}

/// The state of one connection, which its requests and its stream write and its task looks at.
pub(super) struct ConnectionTimeouts {
    state: Mutex<ConnectionState>,
    /// On HTTP/2 bytes come in between requests too.
    bytes_begin_a_head: bool,
}

struct ConnectionState {
    /// When the last request ended, or the connection began.
    idle_since: Instant,
    /// When the first byte of a head came in that is not whole yet.
    head_since: Option<Instant>,
    requests: usize,
    /// Those of the requests whose answers go on for as long as the client likes.
    streams: usize,
    /// Requests so far, those that are open included.
    requests_ever: u64,
    /// Since when something that was written waits for the client to read any of it.
    blocked_since: Option<Instant>,
    /// The client may still send what nobody is going to read.
    unread: bool,
    /// Answers that are being taken in; on HTTP/1 there is one at most.
    answers: Vec<AnswerProgress>,
}

/// How far a client has taken in an answer.
struct AnswerProgress {
    /// The number of its request.
    number: u64,
    /// When the last piece was taken.
    taken: Instant,
    /// All was taken that there is, and more is to come.
    waits: bool,
}

impl ConnectionState {
    /// Since when there are answers that are not taken as they could be. One that waits for more is the client's to take only
    /// as long as something is still on its way, which may be of another answer: its silence before that does not count.
    fn owed_since(&self) -> impl Iterator<Item = Instant> {
        self.answers.iter().filter_map(|answer| match answer.waits {
            false => Some(answer.taken),
            true => self.blocked_since.map(|since| since.max(answer.taken)),
        })
    }
}

impl ConnectionTimeouts {
    pub(super) fn new(bytes_begin_a_head: bool) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            state: Mutex::new(ConnectionState {
                idle_since: now,
                // A new connection is expected to send the head of a request.
                head_since: Some(now),
                requests: 0,
                streams: 0,
                requests_ever: 0,
                blocked_since: None,
                unread: false,
                answers: Vec::new(),
            }),
            bytes_begin_a_head,
        })
    }

    /// Counts a request in, whose head is whole; it ends when what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> RequestActivity {
        let mut state = self.lock();
        state.head_since = None;
        state.requests += 1;
        state.requests_ever += 1;
        RequestActivity { timeouts: Arc::clone(self), number: state.requests_ever, is_stream: false }
    }

    /// What the client took too long over by `now`, if anything.
    pub(super) fn exceeded(&self, timeouts: Timeouts, now: Instant) -> Option<CutOff> {
        let state = self.lock();
        let over = |since: Instant, bound: Duration| now.saturating_duration_since(since) > bound;
        if state.owed_since().any(|since| over(since, timeouts.answer)) {
            Some(CutOff::Answer)
        } else if state.requests > 0 {
            None
        } else if state.head_since.is_some_and(|since| over(since, timeouts.head)) {
            Some(CutOff::Head)
        } else if over(state.idle_since, timeouts.idle) {
            Some(CutOff::Idle)
        } else {
            None
        }
    }

    /// When the client may have taken too long at the earliest, by what it does now or begins after `now`. Ten thousand
    /// idle connections are not to be looked at more often than that.
    pub(super) fn due(&self, timeouts: Timeouts, now: Instant) -> Instant {
        let state = self.lock();
        let beginning = now + timeouts.head.min(timeouts.answer).min(timeouts.idle);
        let answers = state.owed_since().map(|since| since + timeouts.answer);
        let head = state.head_since.map(|since| since + timeouts.head);
        let waits = [head, Some(state.idle_since + timeouts.idle)].into_iter().flatten();
        let waits = waits.filter(|_| state.requests == 0);
        answers.chain(waits).fold(beginning, Instant::min)
    }

    /// Whether the connection speaks HTTP/1, of which each byte between two requests begins a head.
    pub(super) fn is_http1(&self) -> bool {
        self.bytes_begin_a_head
    }

    /// How many requests there were so far, if none is open.
    pub(super) fn between_requests(&self) -> Option<u64> {
        let state = self.lock();
        (state.requests == 0).then_some(state.requests_ever)
    }

    /// Since when the client has had all that it is due: no request is open, and nothing waits to be read.
    pub(super) fn quits_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.requests == 0 && state.blocked_since.is_none()).then_some(state.idle_since)
    }

    /// Since when nothing but streams goes on here.
    pub(super) fn only_streams_since(&self) -> Option<Instant> {
        let state = self.lock();
        (state.requests > 0 && state.requests == state.streams).then_some(state.idle_since)
    }

    /// Whether something that was written waits for the client to read.
    pub(super) fn set_blocked(&self, blocked: bool) {
        self.lock().blocked_since = blocked.then(Instant::now);
    }

    /// Since when what was written waits for the client to read any of it, if it does.
    pub(super) fn blocked_since(&self) -> Option<Instant> {
        self.lock().blocked_since
    }

    /// The client may still send what nobody is going to read; so the connection is to close with care. No head comes
    /// any more: how long the end may take has bounds of its own.
    pub(super) fn set_unread(&self) {
        let mut state = self.lock();
        state.unread = true;
        state.head_since = None;
    }

    pub(super) fn has_unread(&self) -> bool {
        self.lock().unread
    }

    /// Bytes came in.
    pub(super) fn came_in(&self) {
        if self.bytes_begin_a_head {
            let mut state = self.lock();
            if state.requests == 0 && state.head_since.is_none() && !state.unread {
                state.head_since = Some(Instant::now());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionState> {
        // The state is whole at every panic: each change is a few assignments.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request of a connection.
pub(super) struct RequestActivity {
    timeouts: Arc<ConnectionTimeouts>,
    number: u64,
    is_stream: bool,
}

impl RequestActivity {
    /// The answer goes on for as long as the client likes.
    pub(super) fn set_stream(&mut self) {
        self.timeouts.lock().streams += usize::from(!self.is_stream);
        self.is_stream = true;
    }

    /// A piece of the answer was taken, or the answer begins.
    pub(super) fn taken(&mut self) {
        let (mut state, now) = (self.timeouts.lock(), Instant::now());
        let number = self.number;
        match state.answers.iter_mut().find(|answer| answer.number == number) {
            Some(answer) => (answer.taken, answer.waits) = (now, false),
            None => state.answers.push(AnswerProgress { number, taken: now, waits: false }),
        }
    }

    /// All of the answer was taken that there is, and it is not the client that more is waited for.
    pub(super) fn waits_for_more(&mut self) {
        let (mut state, number) = (self.timeouts.lock(), self.number);
        state.answers.iter_mut().filter(|answer| answer.number == number).for_each(|answer| answer.waits = true);
    }
}

impl Drop for RequestActivity {
    fn drop(&mut self) {
        let mut state = self.timeouts.lock();
        state.requests -= 1;
        state.streams -= usize::from(self.is_stream);
        state.answers.retain(|answer| answer.number != self.number);
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Timeouts = Timeouts {
        handshake: Duration::from_secs(1),
        head: Duration::from_secs(10),
        answer: Duration::from_secs(30),
        idle: Duration::from_secs(60),
    };

    fn exceeded(timeouts: &ConnectionTimeouts, seconds: u64) -> Option<CutOff> {
        timeouts.exceeded(PATIENCE, Instant::now() + Duration::from_secs(seconds))
    }

    #[test]
    fn each_stage_has_its_own_timeout() {
        let timeouts = ConnectionTimeouts::new(true);
        assert_eq!((exceeded(&timeouts, 9), exceeded(&timeouts, 11)), (None, Some(CutOff::Head)));
        let mut first = timeouts.begin();
        let mut second = timeouts.begin();
        // The plugin is at work: that has a deadline elsewhere.
        assert_eq!(exceeded(&timeouts, 1_000), None);
        first.taken();
        first.taken();
        second.taken();
        drop(first);
        assert_eq!((exceeded(&timeouts, 29), exceeded(&timeouts, 31)), (None, Some(CutOff::Answer)));
        drop(second);
        assert_eq!((exceeded(&timeouts, 59), exceeded(&timeouts, 61)), (None, Some(CutOff::Idle)));
        timeouts.came_in();
        assert_eq!((exceeded(&timeouts, 9), exceeded(&timeouts, 11)), (None, Some(CutOff::Head)));
    }

    #[test]
    fn an_answer_that_pauses_is_not_held_against_a_client_that_has_all_of_it() {
        let timeouts = ConnectionTimeouts::new(true);
        let mut request = timeouts.begin();
        request.taken();
        request.waits_for_more();
        assert_eq!(exceeded(&timeouts, 1_000), None);
        assert!(timeouts.due(PATIENCE, Instant::now() + Duration::from_secs(100)) > Instant::now() + PATIENCE.answer);
        timeouts.set_blocked(true);
        assert_eq!((exceeded(&timeouts, 29), exceeded(&timeouts, 31)), (None, Some(CutOff::Answer)));
        timeouts.set_blocked(false);
        request.taken();
        assert_eq!((exceeded(&timeouts, 29), exceeded(&timeouts, 31)), (None, Some(CutOff::Answer)));
    }

    #[test]
    fn silence_is_not_held_against_an_answer_when_the_connection_is_blocked_at_last() {
        let timeouts = ConnectionTimeouts::new(false);
        let mut silent = timeouts.begin();
        silent.taken();
        silent.waits_for_more();
        // Another answer fills the buffers a hundred seconds later.
        let blocked = Instant::now() + Duration::from_secs(100);
        timeouts.lock().blocked_since = Some(blocked);
        let late = blocked + PATIENCE.answer;
        assert_eq!(timeouts.exceeded(PATIENCE, blocked + Duration::from_millis(1)), None);
        assert_eq!(timeouts.due(PATIENCE, late - PATIENCE.head), late);
        assert_eq!(timeouts.exceeded(PATIENCE, late + Duration::from_millis(1)), Some(CutOff::Answer));
    }

    #[test]
    fn a_connection_is_looked_at_when_its_client_may_be_late() {
        let timeouts = ConnectionTimeouts::new(true);
        let due = |now: Instant| timeouts.due(PATIENCE, now);
        let late = |now: Instant| timeouts.exceeded(PATIENCE, now + Duration::from_millis(1)).is_some();
        // The first head, which counts from the beginning.
        let look = due(Instant::now());
        assert!(!late(look - Duration::from_millis(2)) && late(look));
        // Idle: a head may begin at any time, and is looked at when its time is over.
        drop(timeouts.begin());
        let began = Instant::now();
        let look = due(began);
        assert_eq!(look, began + PATIENCE.head);
        timeouts.came_in();
        let next = due(look);
        assert!(next < look + Duration::from_secs(1) && late(next), "{:?}", next - look);
        // The last look of a connection without a head is the one at which it was idle for too long.
        drop(timeouts.begin());
        let look = due(Instant::now() + Duration::from_secs(55));
        assert!(!late(look - Duration::from_secs(1)) && late(look));
    }

    #[test]
    fn what_nobody_is_going_to_read_is_no_head() {
        let timeouts = ConnectionTimeouts::new(true);
        timeouts.came_in();
        timeouts.set_unread();
        timeouts.came_in();
        assert_eq!((exceeded(&timeouts, 59), exceeded(&timeouts, 61)), (None, Some(CutOff::Idle)));
    }

    #[test]
    fn pings_are_no_head() {
        let timeouts = ConnectionTimeouts::new(false);
        drop(timeouts.begin());
        timeouts.came_in();
        assert_eq!((exceeded(&timeouts, 59), exceeded(&timeouts, 61)), (None, Some(CutOff::Idle)));
    }
}
