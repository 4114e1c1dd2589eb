//! The most telling inputs as examples: what the old component answers is what a newcomer is held to.

use crate::config::EXAMPLE_NAME_BYTES_MAX;
use crate::plugin::{Examples, write_with_mode, written_example};
use crate::record::compare::{Comparison, Group};
use crate::rehearsal::{CallSource, Callers, CapturedCall, CapturedRole, Ended, Entry, Pair};
use anyhow::{Context, anyhow, bail};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The file that authors keep examples in.
const FILE: &str = "examples.toml";
/// The mode of new files that have captured traffic in them.
pub(super) const PRIVATE: u32 = 0o600;

/// Where examples go of which it is not said: into the sources beside the component.
///
/// # Errors
/// When there are none.
pub(super) fn file_of(component: &Path) -> anyhow::Result<PathBuf> {
    let folder = component.with_extension("");
    if folder.is_dir() {
        return Ok(folder.join(FILE));
    }
    bail!(
        "there are no sources of {} at {}: say with --examples FILE where the examples are to be written",
        component.display(),
        folder.display()
    )
}

/// What the file has by now; nothing if it is not there.
///
/// # Errors
/// When it cannot be read, or is no list of examples.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    parsed(file, &text)?;
    Ok(text)
}

fn parsed(file: &Path, text: &str) -> anyhow::Result<Examples> {
    Examples::parse(text).map_err(|error| anyhow!("{}: {error}", file.display()))
}

/// Writes up to `count` inputs as examples behind those that the file has, and says how many it wrote. Those that it has
/// already, and those that make no example, are left out.
///
/// # Errors
/// When a file cannot be read or written, or what it holds is no list of examples.
pub(super) async fn save(
    source: &dyn CallSource,
    plugin: &str,
    comparison: &Comparison,
    pair: &Pair,
    (file, count): (&Path, usize),
) -> anyhow::Result<usize> {
    let mut wanted = telling(comparison, count);
    let mut calls = Vec::new();
    let searched = source.each(&mut |entry| {
        if let Entry::Call { plugin: of, call } = entry
            && of == plugin
            && let Some(group) = wanted.remove(&call.number)
        {
            calls.push((group, call));
        }
    });
    searched.map_err(anyhow::Error::msg)?;
    let mut text = read(file)?;
    let callers = Callers::of(pair);
    let mut written = 0;
    for (group, call) in calls {
        let name = name(&group, call.number);
        if parsed(file, &text)?.names().any(|known| known == name) {
            continue;
        }
        if let Some(example) = example(call, &callers, &name).await {
            text = if text.is_empty() { example } else { format!("{}\n\n{example}", text.trim_end()) };
            written += 1;
        }
    }
    parsed(file, &text)?;
    if written > 0 {
        // They are made of captured traffic: whoever could not read that must not read them, unless they share a file.
        let mode = std::fs::metadata(file).map_or(PRIVATE, |there| there.permissions().mode() & 0o777);
        write_with_mode(file, text.as_bytes(), mode).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(written)
}

/// The numbers of the inputs: one of each group first, then another one of each.
fn telling(comparison: &Comparison, count: usize) -> BTreeMap<u64, Group> {
    let groups: Vec<_> = comparison.groups().collect();
    let rounds = groups.iter().map(|(_, grouped)| grouped.examples.len()).max().unwrap_or_default();
    let mut chosen = BTreeMap::new();
    for round in 0..rounds {
        for (group, grouped) in &groups {
            let Some(example) = grouped.examples.get(round) else { continue };
            if chosen.len() < count {
                chosen.entry(example.number).or_insert_with(|| (*group).clone());
            }
        }
    }
    chosen
}

fn name(group: &Group, number: u64) -> String {
    let (mut group, input) = (group.to_string(), format!(", input {number}"));
    group.truncate(group.floor_char_boundary(EXAMPLE_NAME_BYTES_MAX - input.len()));
    group + &input
}

/// What the old component answers, or else the new one: that a call traps is nothing to promise.
async fn example(call: CapturedCall, callers: &Callers, name: &str) -> Option<String> {
    let (call, old, new) = call.make(callers).await;
    let of = |ended: &Ended| match call.role {
        CapturedRole::Processor => written_example::of_message(&call.message, ended),
        CapturedRole::ReplyPolicy => written_example::of_request(&call.message, ended),
    };
    of(&old).or_else(|| of(&new)).and_then(|text| written_example::with_name(&text, name).ok())
}
