//! The names of a running host's plugins and flows, for a shell that completes a command line.

use super::{Admin, TOKEN_FILE, text};
use crate::config::Address;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Whoever pressed a key waits for it. Names are looked up and hosts asked in a thread that may hang.
const ANSWER_WAIT: Duration = Duration::from_millis(400);
/// Where a host is asked if nothing else is said.
const ADMIN: &str = "127.0.0.1:5001";

/// The names of plugins, if a host answers soon; else none.
pub(in crate::cli) fn plugin_names() -> Vec<CompletionCandidate> {
    names("/plugins")
}

/// The names of flows, if a host answers soon; else none.
pub(in crate::cli) fn flow_names() -> Vec<CompletionCandidate> {
    names("/flows")
}

/// The names of what is listed at this path.
fn names(path: &'static str) -> Vec<CompletionCandidate> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let (send, names) = mpsc::sync_channel(1);
    thread::spawn(move || send.send(ask(&words, path)));
    names.recv_timeout(ANSWER_WAIT).unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

/// The names of plugins, and the components that are there as files.
pub(in crate::cli::plugin) fn names_and_components(current: &OsStr) -> Vec<CompletionCandidate> {
    let is_component = |path: &Path| path.extension().is_some_and(|extension| extension == "wasm");
    let typed = current.to_string_lossy();
    let names = plugin_names().into_iter().filter(|name| name.get_value().to_string_lossy().starts_with(&*typed));
    names.chain(PathCompleter::file().filter(is_component).complete(current)).collect()
}

/// Asks the host that the command line so far names, else the environment, else the one at the usual address.
fn ask(words: &[OsString], path: &str) -> Vec<String> {
    let said = |flag, variable| flag_of(words, flag).or_else(|| std::env::var(variable).ok());
    let address = said("--admin", "TIDEGATE_ADMIN").unwrap_or_else(|| ADMIN.to_owned());
    let Ok(address) = address.parse::<Address>() else { return Vec::new() };
    let token_file = said("--token-file", TOKEN_FILE).map(PathBuf::from);
    let listed = Admin::at(address, token_file).look(path).unwrap_or_default();
    listed.as_array().into_iter().flatten().map(|listed| text(listed, "name").to_owned()).collect()
}

/// The value of a flag among words that may not yet be a whole command line. Bash takes `:` and `=` for words too.
fn flag_of(words: &[OsString], flag: &str) -> Option<String> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let at = words.iter().position(|word| word.split('=').next() == Some(flag))?;
    if let Some((_, value)) = words[at].split_once('=') {
        return Some(value.to_owned());
    }
    let mut rest = words[at + 1..].iter().skip_while(|word| *word == "=");
    let mut value = rest.next()?.to_string();
    while let [":", more] = [rest.next().map_or("", |word| word), rest.next().map_or("", |word| word)] {
        value += &format!(":{more}");
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_found_as_shells_split_it() {
        let value = |line: &str| {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            flag_of(&words, "--admin")
        };
        for line in
            ["x --admin 127.0.0.1:1 y", "x --admin=127.0.0.1:1", "x --admin = 127.0.0.1 : 1 y", "--admin 127.0.0.1 : 1"]
        {
            assert_eq!(value(line).as_deref(), Some("127.0.0.1:1"), "{line}");
        }
        for line in ["x", "x --admin", "x --administrator=y", "x admin y"] {
            assert_eq!(value(line), None, "{line}");
        }
    }
}
