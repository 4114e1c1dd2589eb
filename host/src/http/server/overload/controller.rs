//! The controller: from how long requests wait to the share of them to turn away, and which.

use super::{ROUTES, STEP};
use std::time::Duration;

/// Steps in a row, each with too long a wait, that make an overload: longer than the stalls of a shared machine.
const STANDING_STEPS: u32 = 6;
/// Requests that have to wait by then: as many as come in during one wait. So clients that ask again when they are
/// answered, of half this number, are never turned away, however slow the machine is.
const QUEUE_MIN: f64 = 64.0;
/// How much of what came in counts on at the next step: the shares of the routes are those of the last 50 ms or so.
const MEMORY: f64 = 0.9;
/// What the controller aims at, as a part of the bound: the bound is where it begins, and the peaks are above the mean.
const TARGET_DIVISOR: f64 = 4.0;
/// How much of the share one step moves per unit of error (a wait of twice the target is an error of 1).
const PROPORTIONAL: f64 = 0.02;
/// How much it moves per unit by which the error changed: at half of what would swing at twice the load.
const DIFFERENTIAL: f64 = 0.12;
/// One long wait must not swing the share from end to end.
const ERROR_MAX: f64 = 8.0;
/// Never all: the controller has to see the effect of what it does.
const SHARE_MAX: f64 = 0.98;

#[derive(Debug, Default)]
pub(crate) struct Controller {
    /// When the last step was.
    pub(crate) stepped: Duration,
    /// Steps in a row with too long a wait; the time of the last step before them, and the requests until then.
    standing: u32,
    stood_since: Duration,
    requests_before: u64,
    share: f64,
    error: f64,
    /// Requests by route, the older the less they count.
    recent: Vec<f64>,
}

impl Controller {
    /// The share to turn away from now on.
    pub(crate) fn step(&mut self, now: Duration, requests: u64, wait: Duration, delay_max: Duration) -> f64 {
        let steps = now.saturating_sub(self.stepped).div_duration_f64(STEP);
        self.stepped = now;
        if self.share == 0.0 {
            if wait <= delay_max {
                (self.standing, self.stood_since, self.requests_before, self.error) = (0, now, requests, 0.0);
                return 0.0;
            }
            self.standing += 1;
            let waits = wait.div_duration_f64(now.saturating_sub(self.stood_since).max(wait));
            if self.standing < STANDING_STEPS || ((requests - self.requests_before) as f64) * waits < QUEUE_MIN {
                return 0.0;
            }
        }
        let error = (wait.div_duration_f64(delay_max.div_f64(TARGET_DIVISOR)) - 1.0).min(ERROR_MAX);
        // With few requests there are few steps, so each lowers the share for all the steps that were left out.
        let weight = if error < 0.0 { steps } else { 1.0 };
        self.share += PROPORTIONAL * error * weight + DIFFERENTIAL * (error - self.error);
        self.share = self.share.clamp(0.0, SHARE_MAX);
        self.error = error;
        if self.share == 0.0 {
            (self.standing, self.stood_since, self.requests_before) = (0, now, requests);
        }
        self.share
    }

    /// What becomes of the share at each route: all of it falls on those that ask for more than their part, so that a
    /// crowd at one route gets nobody turned away at another.
    pub(crate) fn shares(&mut self, counts: impl Iterator<Item = f64>, share: f64) -> Vec<f64> {
        self.recent.resize(ROUTES, 0.0);
        self.recent.iter_mut().zip(counts).for_each(|(recent, count)| *recent = *recent * MEMORY + count);
        if share == 0.0 {
            return vec![0.0; ROUTES];
        }
        // The routes with the fewest requests come first, and what they leave of their part is for the others.
        let mut ascending = self.recent.clone();
        ascending.sort_by(f64::total_cmp);
        let mut left = ascending.iter().sum::<f64>() * (1.0 - share);
        let mut part = 0.0;
        for (index, count) in ascending.iter().enumerate() {
            part = left / (ROUTES - index) as f64;
            if *count > part {
                break;
            }
            left -= count;
        }
        self.recent.iter().map(|recent| if *recent > part { 1.0 - part / recent } else { 0.0 }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY_MAX: Duration = Duration::from_millis(20);
    const MS: Duration = Duration::from_millis(1);

    /// A queue that takes one second's work per second, is offered `load` times that, and is looked at every step.
    /// Gives the waits over `steps` steps, and the share at the end.
    fn queue(controller: &mut Controller, wait: &mut f64, load: f64, steps: u32) -> (Vec<f64>, f64) {
        let step = STEP.as_secs_f64();
        let (mut waits, mut requests) = (Vec::new(), controller.requests_before);
        for _ in 0..steps {
            *wait = (*wait + step * (load * (1.0 - controller.share) - 1.0)).max(0.0);
            requests += (load * 20.0) as u64;
            controller.step(controller.stepped + STEP, requests, Duration::from_secs_f64(*wait), DELAY_MAX);
            waits.push(*wait);
        }
        (waits, controller.share)
    }

    #[test]
    fn an_overload_is_held_near_the_target_and_forgotten() {
        for (load, share) in [(1.5, 0.33), (2.0, 0.5), (4.0, 0.75)] {
            let (mut controller, mut wait) = (Controller::default(), 0.0);
            let (waits, held) = queue(&mut controller, &mut wait, load, 400);
            // Once it has settled, the wait is about a quarter of the bound.
            let worst = waits[100..].iter().fold(0.0_f64, |worst, &wait| worst.max(wait));
            assert!(worst < 0.01, "{load}: {worst}");
            assert!((held - share).abs() < 0.1, "{load}: {held}");
            let (_, left) = queue(&mut controller, &mut wait, 0.5, 100);
            assert_eq!(left, 0.0, "half a second after {load}");
        }
    }

    #[test]
    fn a_stall_sheds_nothing() {
        let mut controller = Controller::default();
        for step in 0..1_000 {
            // Every tenth look finds a long wait, as of a machine that others use too.
            let wait = if step % 10 < 4 { 100 * MS } else { MS };
            let share = controller.step(controller.stepped + STEP, step * 50, wait, DELAY_MAX);
            assert_eq!(share, 0.0);
        }
    }

    #[test]
    fn few_clients_are_never_turned_away() {
        let mut controller = Controller::default();
        let (mut requests, wait) = (0, 100 * MS);
        for step in 0..1_000 {
            // Half of the least queue, who are answered after each such wait, and ask again at once.
            requests += if step % 20 == 0 { QUEUE_MIN as u64 / 2 } else { 0 };
            assert_eq!(controller.step(controller.stepped + STEP, requests, wait, DELAY_MAX), 0.0);
        }
    }

    #[test]
    fn a_crowd_at_one_route_turns_nobody_away_at_another() {
        let mut controller = Controller::default();
        let counts = |crowd, few| (0..ROUTES).map(move |route| [crowd, few, 0.0][route.min(2)]);
        let shares = controller.shares(counts(95.0, 5.0), 0.5);
        assert_eq!((shares[1], shares[2]), (0.0, 0.0));
        assert!((shares[0] * 95.0 - 50.0).abs() < 1.0, "{}", shares[0]);
        // Two crowds of one size share it.
        let shares = Controller::default().shares(counts(50.0, 50.0), 0.5);
        assert!((shares[0] - 0.5).abs() < 0.01 && (shares[1] - 0.5).abs() < 0.01, "{shares:?}");
    }
}
