//! How far a replay of many letters is, on stderr: one line that is drawn anew on a terminal, else a line now and then.

use crate::cli::output::redraws;
use crate::system::output::note;
use serde::Serialize;
use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

const REDRAW_INTERVAL: Duration = Duration::from_millis(100);
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// What became of the letters so far.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Tally {
    /// Those that were chosen and have a call.
    pub(super) letters: usize,
    /// Arrived.
    pub(super) sent: usize,
    /// Not sent, or failed again.
    pub(super) failed: usize,
    /// Perhaps sent by an earlier replay.
    pub(super) left_out: usize,
    /// Chosen replies, which have no call.
    pub(super) replies: usize,
}

impl Tally {
    /// Those that nothing was done about.
    pub(super) fn not_tried(&self) -> usize {
        self.letters.saturating_sub(self.sent + self.failed + self.left_out)
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { letters, sent, failed, left_out, .. } = self;
        write!(f, "{sent} of {letters} letters sent, {failed} failed, {left_out} left out, {} to go", self.not_tried())
    }
}

/// Shows how far it is.
pub(super) struct Progress {
    on_terminal: bool,
    drawn: bool,
    shown: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let on_terminal = redraws(std::io::stderr());
        Self { on_terminal, drawn: false, shown: Instant::now() }
    }

    /// Shows it, if it was not shown a moment ago.
    pub(super) fn show(&mut self, tally: &Tally) {
        let interval = if self.on_terminal { REDRAW_INTERVAL } else { LINE_INTERVAL };
        if self.shown.elapsed() < interval {
            return;
        }
        self.shown = Instant::now();
        if self.on_terminal {
            let _ = std::io::stderr().write_all(format!("\r\x1b[K{tally}").as_bytes());
            self.drawn = true;
        } else {
            note(tally);
        }
    }

    /// Writes a line that stays.
    pub(super) fn line(&mut self, line: impl Display) {
        if std::mem::take(&mut self.drawn) {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
        note(line);
    }
}
