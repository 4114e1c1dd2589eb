//! Files of captured traffic as sources of calls.

use super::capture::Capture;
use super::captured_call::{CallSource, CapturedCall, CapturedRole, CapturedSeed, Digests, Entry, Skip};
use crate::record::dead_letters::{Input, Letter};
use crate::record::traffic::{TrafficKind, each_letter};
use std::path::{Path, PathBuf};

/// The file, as what it is.
///
/// # Errors
/// When it cannot be read, or holds no captured traffic.
pub(crate) fn open(file: &Path) -> Result<Box<dyn CallSource>, String> {
    Ok(match TrafficKind::of(file).map_err(|error| error.to_string())? {
        TrafficKind::Capture => Box::new(Capture::open(file).map_err(|error| error.to_string())?),
        TrafficKind::DeadLetters => Box::new(Letters(file.to_owned())),
    })
}

/// A file of dead letters, with the rotated ones before it.
struct Letters(PathBuf);

impl CallSource for Letters {
    fn each(&self, found: &mut dyn FnMut(Entry)) -> Result<(), String> {
        let mut digests = Digests::default();
        each_letter(&self.0, |number, letter| {
            found(letter.map_or(Entry::Skipped(Skip::Broken), |letter| entry(number, letter, &mut digests)));
        })
        .map_err(|error| format!("{}: {error}", self.0.display()))
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
    let seed = CapturedSeed { value: seed.value, digest, role: None, number: call_number };
    Entry::Call { plugin, call: CapturedCall { number, role, message, seed } }
}
