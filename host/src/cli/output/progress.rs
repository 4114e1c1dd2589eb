//! What a command says of work that takes over a second: a spinner where somebody looks on, a line elsewhere.

use super::redraws;
use crate::system::output::note;
use indicatif::{ProgressBar, ProgressStyle};
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long work may take without a word.
const SILENCE_MAX: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(120);
/// How often a line says how far it is where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// What else writes to stderr meanwhile.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Stderr {
    /// Nothing.
    Alone,
    /// A log, whose lines a spinner would wipe out.
    WithLog,
}

/// Waits for the work, and says what it is, such as `compiling x.wasm`, if that takes long.
pub(in crate::cli) async fn during<T>(what: &str, stderr: Stderr, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(SILENCE_MAX, &mut work).await {
        return done;
    }
    let spinner = (stderr == Stderr::Alone && redraws(std::io::stderr())).then(|| spinner(what));
    if spinner.is_none() {
        note(format_args!("{what} ..."));
    }
    let done = work.await;
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    done
}

/// As [`during`], of work that says how far it is: again and again on a terminal, elsewhere a line now and then.
pub(in crate::cli) async fn while_told<T>(
    far: impl Fn() -> String,
    stderr: Stderr,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(SILENCE_MAX, &mut work).await {
        return done;
    }
    let spinner = (stderr == Stderr::Alone && redraws(std::io::stderr())).then(|| spinner(&far()));
    let pause = if spinner.is_some() { FRAME } else { LINE_INTERVAL };
    loop {
        match &spinner {
            Some(spinner) => spinner.set_message(far()),
            None => note(far()),
        }
        if let Ok(done) = timeout(pause, &mut work).await {
            if let Some(spinner) = spinner {
                spinner.finish_and_clear();
            }
            return done;
        }
    }
}

fn spinner(what: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned()).with_elapsed(SILENCE_MAX);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(FRAME);
    spinner
}
