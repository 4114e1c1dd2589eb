//! Files of captured traffic, told apart by how they begin: captures are MCAP files, dead letters lines of JSON.

use super::capture::Capture;
use super::captured_call::{CallSource, CapturedCall, CapturedRole, CapturedSeed, Digests, Entry, Skip};
use crate::record::dead_letters::{Input, Letter, letters};
use crate::system::output::note;
use anyhow::{Context, bail};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How every MCAP file begins.
const MCAP: &[u8] = b"\x89MCAP";
/// How many lines that cannot be read are told of one by one.
const BROKEN_TOLD_MAX: u64 = 10;
/// How much of a file is looked at to see what it is.
const HEAD_BYTES: u64 = 64;

/// The file, as what it is.
///
/// # Errors
/// When it cannot be read, or holds no captured traffic.
pub(super) fn open(file: &Path) -> anyhow::Result<Box<dyn CallSource>> {
    let reading = || format!("reading {}", file.display());
    let mut head = Vec::new();
    File::open(file).and_then(|opened| opened.take(HEAD_BYTES).read_to_end(&mut head)).with_context(reading)?;
    if head.starts_with(MCAP) {
        return Ok(Box::new(Capture::open(file)?));
    }
    match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Ok(Box::new(Letters(file.to_owned()))),
        Some(_) => {
            bail!("{} is neither a capture nor a file of dead letters: give one that a host wrote", file.display())
        }
        None => bail!("{} is empty", file.display()),
    }
}

/// A file of dead letters, with the rotated ones before it.
struct Letters(PathBuf);

impl CallSource for Letters {
    fn each(&self, found: &mut dyn FnMut(Entry)) -> anyhow::Result<()> {
        // Two closures count and hand on; neither runs while the other does.
        let (found, number, told) = (std::cell::RefCell::new(found), std::cell::Cell::new(0), std::cell::Cell::new(0));
        let next = || {
            number.set(number.get() + 1);
            number.get()
        };
        let mut digests = Digests::default();
        letters(
            &self.0,
            |_| true,
            |broken| {
                next();
                if told.replace(told.get() + 1) < BROKEN_TOLD_MAX {
                    note(format_args!("{broken}; skipped"));
                }
                (found.borrow_mut())(Entry::Skipped(Skip::Broken));
            },
            |letter| (found.borrow_mut())(entry(next(), letter, &mut digests)),
        )?;
        Ok(())
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
    let seed = CapturedSeed { value: seed.value, digest, number: call_number };
    Entry::Call { plugin, call: CapturedCall { number, role, message, seed } }
}
