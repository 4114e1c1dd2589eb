//! Files of captured traffic as sources of calls.

use super::capture::Capture;
use super::captured_call::{CallSource, CapturedCall, CapturedRole, CapturedSeed, Digests, Entry, Skip, Told};
use crate::record::dead_letters::{Input, Letter, letters};
use crate::record::traffic::{TrafficKind, each_letter};
use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file, as what it is, for a command.
///
/// # Errors
/// When it cannot be read, or holds no captured traffic.
pub(crate) fn open(file: &Path) -> Result<Box<dyn CallSource>, String> {
    open_as(file, Told::OnStderr)
}

/// The file, as what it is.
///
/// # Errors
/// When it cannot be read, or holds no captured traffic.
pub(crate) fn open_as(file: &Path, told: Told) -> Result<Box<dyn CallSource>, String> {
    Ok(match TrafficKind::of(file).map_err(|error| error.to_string())? {
        TrafficKind::Capture => Box::new(Capture::open(file, told).map_err(|error| error.to_string())?),
        TrafficKind::DeadLetters => Box::new(Letters { file: file.to_owned(), told }),
    })
}

/// A file of dead letters, with the rotated ones before it.
struct Letters {
    file: PathBuf,
    told: Told,
}

impl Letters {
    fn each_line(&self, mut found: impl FnMut(u64, Option<Letter>)) -> io::Result<()> {
        if self.told == Told::OnStderr {
            return each_letter(&self.file, found);
        }
        let mut number = 0;
        // Two closures count and hand on; neither runs while the other does.
        let next = RefCell::new(|letter| {
            number += 1;
            found(number, letter);
        });
        letters(&self.file, |_| true, |_| (next.borrow_mut())(None), |letter| (next.borrow_mut())(Some(letter)))
    }
}

impl CallSource for Letters {
    fn each_until(&self, found: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), String> {
        let (mut digests, mut wanted) = (Digests::default(), ControlFlow::Continue(()));
        let read = self.each_line(|number, letter| {
            if wanted.is_continue() {
                wanted =
                    found(letter.map_or(Entry::Skipped(Skip::Broken), |letter| entry(number, letter, &mut digests)));
            }
        });
        read.map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

fn entry(number: u64, letter: Letter, digests: &mut Digests) -> Entry {
    let is_of_flow = letter.flow().is_some();
    let Letter { by, met, route, seed, number: call_number, input, .. } = letter;
    if met.is_some() {
        return Entry::Skipped(Skip::SeveralPlugins);
    }
    let role = if matches!(input, Input::Request { .. }) { CapturedRole::ReplyPolicy } else { CapturedRole::Processor };
    let (digest, plugin) = match by {
        Some(by) => (Some(digests.of(&by.digest)), by.plugin),
        // No plugin was reached, and only of a flow its route is not the plugin's name.
        None if is_of_flow => return Entry::Skipped(Skip::NoCall),
        None => (None, route),
    };
    let Some(message) = input.into_message() else { return Entry::Skipped(Skip::NoCall) };
    let seed = CapturedSeed { value: seed.value, digest, role: None, number: call_number, buckets: Arc::default() };
    Entry::Call { plugin, call: CapturedCall { number, role, message, seed } }
}
