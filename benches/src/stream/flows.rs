//! A host that runs flows between two ends.

use super::ends::Ends;
use crate::host::{self, Host};
use crate::peer::Pattern;
use anyhow::Result;
use std::path::Path;

/// The names of the stages, all of which are `downcase`; one with the logic compiled in goes by the first.
const STAGES: [&str; 3] = ["downcase", "second", "third"];
const FLAGS: [&str; 4] = ["--http=none", "--admin=none", "--publish=none", "--frontend=none"];
/// The grace period is short since some flows end in sockets that nobody reads.
const SHUTDOWN: &str = "[shutdown]\ngrace_ms = 500\n";
const LOSSLESS: &str = "on_full = 'block'\n";

/// Starts a host with flows of this many stages that lose nothing. Each reads a socket of its own, and all write one.
pub fn start(binary: &Path, pattern: Pattern, stages: usize, flows: usize, ends: &Ends) -> Result<Host> {
    let (reads, writes) = match pattern {
        Pattern::Publish => ("sub", "pub"),
        Pattern::Push => ("pull", "push"),
    };
    let mut config = socket("out", writes, &ends.to, LOSSLESS);
    for number in 0..flows {
        let name = format!("in{number}");
        config += &socket(&name, reads, &ends.from, LOSSLESS);
        config += &flow(&name, stages, "out");
    }
    start_with(binary, stages, &config)
}

/// Starts a host with these flows, of at most this many stages.
pub fn start_with(binary: &Path, stages: usize, config: &str) -> Result<Host> {
    let downcase = host::root().join("plugins/downcase.wasm");
    let plugins = STAGES[..stages].iter().map(|name| (*name, &*downcase)).collect::<Vec<_>>();
    Host::start_with(binary, &plugins, &format!("{SHUTDOWN}{config}"), &FLAGS)
}

/// A socket of the configuration, which connects to `place`; `keys` are further ones.
pub fn socket(name: &str, kind: &str, place: &str, keys: &str) -> String {
    format!("[sockets.{name}]\ntype = '{kind}'\nconnect = ['{place}']\n{keys}")
}

/// A flow of the configuration, which has the name of the socket that it reads.
pub fn flow(from: &str, stages: usize, to: &str) -> String {
    let through = &STAGES[..stages];
    format!("[flows.{from}]\nfrom = ['{from}']\nthrough = {through:?}\nto = ['{to}']\n")
}
