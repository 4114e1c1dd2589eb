//! When each message of a replay is due: a function of its time, of the pace, and of what was late before it.

use crate::config::REPLAY_LATE_MS;
use std::time::Duration;

/// How fast messages are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// With the time between them that they had, divided by this.
    Speed(f64),
    /// So many a second, evenly.
    Rate(u32),
    /// One right behind the other; none is late.
    AtOnce,
}

/// How far messages were behind their pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lateness {
    /// Messages that were late.
    pub messages: u64,
    /// By how much later than the pace says all that was put off has gone.
    pub behind: Duration,
}

/// Says when messages are due. All times are since the first one could have gone.
///
/// What is late is not made up for: the messages behind it keep their distance to it, and how far they were put off is told. So
/// a receiver that was slow for a while gets no burst.
#[derive(Debug)]
pub struct Schedule {
    pace: Pace,
    /// The time of the first message, in nanoseconds since 1970.
    first: Option<u64>,
    count: u64,
    due: Duration,
    lateness: Lateness,
}

impl Schedule {
    /// A schedule before its first message, which is due at once.
    pub fn new(pace: Pace) -> Self {
        Self { pace, first: None, count: 0, due: Duration::ZERO, lateness: Lateness::default() }
    }

    /// When the next message is due, which came in at `time`, in nanoseconds since 1970. Never before the one ahead of it: a
    /// capture has messages in the order in which their calls ended.
    pub fn next(&mut self, time: u64) -> Duration {
        let since_first = Duration::from_nanos(time.saturating_sub(*self.first.get_or_insert(time)));
        let planned = match self.pace {
            Pace::Speed(speed) => {
                Duration::try_from_secs_f64(since_first.as_secs_f64() / speed).unwrap_or(Duration::MAX)
            }
            Pace::Rate(rate) => {
                let nanos = u128::from(self.count) * 1_000_000_000 / u128::from(rate.max(1));
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
            Pace::AtOnce => Duration::ZERO,
        };
        self.count += 1;
        self.due = planned.saturating_add(self.lateness.behind).max(self.due);
        self.due
    }

    /// Says when the message has gone that [`Self::next`] told of last.
    pub fn sent(&mut self, now: Duration) {
        let late = now.saturating_sub(self.due);
        if late > Duration::from_millis(REPLAY_LATE_MS) && self.pace != Pace::AtOnce {
            self.lateness.messages += 1;
            self.lateness.behind = self.lateness.behind.saturating_add(late);
            self.due = now;
        }
    }

    /// What was late so far.
    pub fn lateness(&self) -> Lateness {
        self.lateness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// Sends messages of these times, in milliseconds, over a link that holds up the one of `held.0` until `held.1`; and
    /// returns when each went.
    fn run(pace: Pace, times: &[u64], held: (usize, Duration)) -> (Vec<u64>, Lateness) {
        let (mut schedule, mut clock, mut went) = (Schedule::new(pace), Duration::ZERO, Vec::new());
        for (index, time) in times.iter().enumerate() {
            clock = clock.max(schedule.next(1_000_000_000 * MS + time * MS));
            if index == held.0 {
                clock = clock.max(held.1);
            }
            schedule.sent(clock);
            went.push(u64::try_from(clock.as_millis()).unwrap());
        }
        (went, schedule.lateness())
    }

    const NONE: (usize, Duration) = (usize::MAX, Duration::ZERO);

    #[test]
    fn messages_keep_the_time_between_them_at_any_speed() {
        assert_eq!(run(Pace::Speed(1.0), &[5, 105, 305], NONE), (vec![0, 100, 300], Lateness::default()));
        assert_eq!(run(Pace::Speed(10.0), &[5, 105, 305], NONE), (vec![0, 10, 30], Lateness::default()));
        assert_eq!(run(Pace::Speed(0.5), &[5, 105, 305], NONE), (vec![0, 200, 600], Lateness::default()));
    }

    #[test]
    fn a_rate_is_kept_whatever_the_times() {
        assert_eq!(run(Pace::Rate(100), &[0, 0, 9_000, 1], NONE), (vec![0, 10, 20, 30], Lateness::default()));
        let mut schedule = Schedule::new(Pace::Rate(3));
        assert_eq!((0..=3_000).map(|_| schedule.next(0)).last(), Some(Duration::from_secs(1_000)));
    }

    #[test]
    fn what_has_no_pace_goes_at_once_and_is_never_late() {
        assert_eq!(run(Pace::AtOnce, &[0, 9_000, 1], (1, ms(500))), (vec![0, 500, 500], Lateness::default()));
    }

    #[test]
    fn a_message_that_came_in_before_the_one_ahead_of_it_goes_right_behind_that() {
        assert_eq!(run(Pace::Speed(1.0), &[100, 300, 200, 50, 400], NONE).0, [0, 200, 200, 200, 300]);
    }

    #[test]
    fn what_was_held_up_is_followed_by_no_burst_and_told() {
        let times: Vec<u64> = (0..6).map(|index| index * 100).collect();
        let (went, lateness) = run(Pace::Speed(1.0), &times, (2, ms(1_200)));
        assert_eq!(went, [0, 100, 1_200, 1_300, 1_400, 1_500]);
        assert_eq!(lateness, Lateness { messages: 1, behind: ms(1_000) });
        let (went, lateness) = run(Pace::Rate(10), &times, (2, ms(1_200)));
        assert_eq!(went, [0, 100, 1_200, 1_300, 1_400, 1_500]);
        assert_eq!(lateness, Lateness { messages: 1, behind: ms(1_000) });
    }

    #[test]
    fn what_is_late_by_less_than_is_told_is_made_up_for() {
        let (went, lateness) = run(Pace::Rate(1_000), &[0; 8], (2, ms(7)));
        assert_eq!((went, lateness), (vec![0, 1, 7, 7, 7, 7, 7, 7], Lateness::default()));
    }

    #[test]
    fn no_time_of_a_file_is_too_far_off() {
        let mut schedule = Schedule::new(Pace::Speed(0.001));
        schedule.next(0);
        let far = schedule.next(u64::MAX);
        assert!(far > Duration::from_secs(1 << 40), "{far:?}");
        schedule.sent(Duration::MAX);
        assert_eq!(schedule.next(u64::MAX), Duration::MAX);
    }
}
