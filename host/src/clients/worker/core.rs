//! Decides what a worker does: when it is ready, what it tells the host, and when it begins anew. Without I/O.

mod action;
mod backoff;
mod news;
mod session;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub(super) use action::Action;
pub use news::Tally;
pub(super) use news::{Loss, News};

use super::majordomo::{self, Command};
use crate::messaging::socket::Frames;
use backoff::Backoff;
use session::Session;
use std::time::{Duration, Instant};

/// A host that is silent for so many heartbeats is taken for lost.
const LIVENESS: u32 = 3;
/// What a worker is told once.
pub(super) struct CoreSettings {
    /// The service that it works for.
    pub(super) service: String,
    /// How often each side lets the other hear from it.
    pub(super) heartbeat: Duration,
    /// Whether it ends when the host says DISCONNECT.
    pub(super) end_on_disconnect: bool,
    /// Of the jitter of its pauses.
    pub(super) seed: u64,
}

/// The worker as the host knows it.
enum Host {
    /// It does not. It is not tried before.
    Away {
        until: Instant,
    },
    Near(Session),
}

/// What the command does. There is a session only while it is idle or busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// It has failed.
    Resting {
        until: Instant,
    },
    Preparing,
    Idle,
    Busy,
}

/// A worker without its socket, its command and its clock.
pub(super) struct WorkerCore {
    settings: CoreSettings,
    host: Host,
    program: Program,
    is_stopping: bool,
    has_ended: bool,
    host_backoff: Backoff,
    program_backoff: Backoff,
    /// Whether it was told that the worker is ready.
    was_ready: bool,
    /// Whether it was told that the host is lost, and not yet that it is back.
    is_loss_told: bool,
    tally: Tally,
    actions: Vec<Action>,
}

impl WorkerCore {
    pub(super) fn new(settings: CoreSettings, now: Instant) -> Self {
        let (host_backoff, program_backoff) =
            (Backoff::new(settings.seed), Backoff::new(settings.seed.rotate_left(32)));
        Self {
            settings,
            host: Host::Away { until: now },
            program: Program::Resting { until: now },
            is_stopping: false,
            has_ended: false,
            host_backoff,
            program_backoff,
            was_ready: false,
            is_loss_told: false,
            tally: Tally::default(),
            actions: Vec::new(),
        }
    }

    /// Takes out what is to be done, in order.
    pub(super) fn actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// When [`Self::tick`] has something to do; none if only an event can bring something.
    pub(super) fn next(&self) -> Option<Instant> {
        let program = match self.program {
            Program::Resting { until } => Some(until),
            _ => None,
        };
        let host = match &self.host {
            Host::Away { until } => (self.program == Program::Idle).then_some(*until),
            Host::Near(Session { heard, said, .. }) => {
                Some((*said + self.settings.heartbeat).min(*heard + self.silence_max()))
            }
        };
        program.into_iter().chain(host).min()
    }

    /// Does what is due. To be called behind [`Self::receive`] with what has come until `now`.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.has_ended {
            return;
        }
        if let Program::Resting { until } = self.program
            && until <= now
        {
            self.program = Program::Preparing;
            self.actions.push(Action::Prepare);
        }
        let silence_max = self.silence_max();
        match &mut self.host {
            Host::Near(session) if session.heard + silence_max <= now => {
                let loss = if session.is_known { Loss::Silent } else { Loss::Unanswered };
                self.lose(loss, now);
            }
            Host::Near(session) if session.said + self.settings.heartbeat <= now => {
                session.said = now;
                self.actions.push(Action::Send(majordomo::heartbeat()));
            }
            Host::Away { until } if *until <= now && self.program == Program::Idle => {
                self.host = Host::Near(Session::new(now));
                self.actions.extend([Action::Open, Action::Send(majordomo::ready(&self.settings.service))]);
            }
            _ => {}
        }
    }

    /// The socket is open, which may have taken a while.
    pub(super) fn opened(&mut self, now: Instant) {
        if let Host::Near(session) = &mut self.host {
            (session.heard, session.said) = (now, now);
        }
    }

    /// The host has sent something.
    pub(super) fn receive(&mut self, frames: Frames, now: Instant) {
        let Host::Near(session) = &mut self.host else { return };
        match majordomo::read(frames) {
            Some(Command::Disconnect) => {
                let loss = if session.is_known { Loss::Disconnected } else { Loss::Refused };
                self.lose(loss, now);
                if self.settings.end_on_disconnect {
                    self.end();
                }
            }
            Some(Command::Heartbeat) => self.hear(now),
            Some(Command::Request { token, message }) => {
                self.hear(now);
                self.queue(token, message, now);
            }
            None => {
                if self.tally.malformed == 0 {
                    self.actions.push(Action::Tell(News::Malformed));
                }
                self.tally.malformed += 1;
            }
        }
    }

    /// The command takes messages.
    pub(super) fn prepared(&mut self) {
        if self.program == Program::Preparing {
            self.program = Program::Idle;
        }
    }

    /// The command has answered the message that it had.
    pub(super) fn answered(&mut self, answer: Vec<u8>, now: Instant) {
        self.program = Program::Idle;
        self.program_backoff.reset();
        let Host::Near(session) = &mut self.host else {
            self.tally.late += 1;
            return;
        };
        if let Some(token) = session.finish_first() {
            session.said = now;
            self.tally.answered += 1;
            self.actions.push(Action::Send(majordomo::answer(token, answer)));
        }
        self.end_if_done(now);
        self.run_next();
    }

    /// The command has failed: at the message that it had, or by itself. Majordomo knows no answer that says so; whoever
    /// says DISCONNECT gives back what it has.
    pub(super) fn failed(&mut self, why: String, now: Instant) {
        let pause = self.program_backoff.pause();
        self.tally.failed += u64::from(self.program == Program::Busy);
        self.program = Program::Resting { until: now + pause };
        self.actions.push(Action::Tell(News::Failed { why, pause }));
        self.leave(now);
        self.end_if_done(now);
    }

    /// The socket does not take what is sent.
    pub(super) fn cut_off(&mut self, now: Instant) {
        self.lose(Loss::Unread, now);
    }

    /// Ends as soon as what the host has given is answered.
    pub(super) fn stop(&mut self, now: Instant) {
        self.is_stopping = true;
        if let Host::Near(session) = &mut self.host {
            session.stop();
        }
        self.end_if_done(now);
    }

    fn silence_max(&self) -> Duration {
        self.settings.heartbeat * LIVENESS
    }

    /// The host has said something to this worker, so it knows it.
    fn hear(&mut self, now: Instant) {
        let Host::Near(session) = &mut self.host else { return };
        session.heard = now;
        if session.is_known {
            return;
        }
        session.is_known = true;
        self.host_backoff.reset();
        if !self.was_ready || self.is_loss_told {
            self.actions.push(Action::Tell(News::Ready { again: self.was_ready }));
        }
        (self.was_ready, self.is_loss_told) = (true, false);
    }

    fn queue(&mut self, token: Vec<u8>, message: Frames, now: Instant) {
        let Host::Near(session) = &mut self.host else { return };
        if session.queue(token, message) {
            self.run_next();
        } else {
            self.actions.push(Action::Send(majordomo::disconnect()));
            self.lose(Loss::TooMany, now);
        }
    }

    /// Gives the command the next message, if there is one and it has none.
    fn run_next(&mut self) {
        if let Host::Near(session) = &mut self.host
            && self.program == Program::Idle
            && let Some(message) = session.take_first()
        {
            self.program = Program::Busy;
            self.actions.push(Action::Run(message));
        }
    }

    /// The host is lost, or wants to be left: what it gave is not its any more.
    fn lose(&mut self, loss: Loss, now: Instant) {
        if !matches!(self.host, Host::Near(_)) {
            return;
        }
        let pause = self.host_backoff.pause();
        self.host = Host::Away { until: now + pause };
        self.actions.push(Action::Close { flush: loss == Loss::TooMany });
        // A host that stays away is told of once.
        if !std::mem::replace(&mut self.is_loss_told, true) {
            self.actions.push(Action::Tell(News::Lost { loss, pause }));
        }
        self.end_if_done(now);
    }

    /// Leaves the host, if there is one, to come back as soon as the command takes messages.
    fn leave(&mut self, now: Instant) {
        if let Host::Near(session) = &self.host {
            // The end does not wait for a host that may not be there.
            let flush = session.is_known || !self.is_stopping;
            self.actions.extend([Action::Send(majordomo::disconnect()), Action::Close { flush }]);
            self.host = Host::Away { until: now };
        }
    }

    fn end_if_done(&mut self, now: Instant) {
        if !self.is_stopping {
            return;
        }
        let is_done = match &self.host {
            Host::Near(session) => session.is_done(),
            // Nobody waits for what the command may still answer.
            Host::Away { .. } => true,
        };
        if is_done {
            self.leave(now);
            self.end();
        }
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.actions.push(Action::End);
        }
    }
}
