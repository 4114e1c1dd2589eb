//! The flows: where their messages come from and go to, and whether no two of them share what only one can read.

use super::{frontend_flow, names};
use crate::config::Config;
use crate::config::document::Mistake;
use crate::config::streams::SocketType;
use std::collections::BTreeMap;

const TABLE: &str = "flows";

/// Whether each flow makes sense by itself, and all of them together.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    let mut readers = BTreeMap::new();
    for (name, flow) in &config.flows {
        names::check(TABLE, name)?;
        let mistake = |what: String| Mistake::of(TABLE, name, what);
        if flow.is_of_frontend() {
            frontend_flow::check(config, name, flow)?;
            continue;
        }
        for (key, sockets, what) in [("from", &flow.from, "come from"), ("to", &flow.to, "go to")] {
            if sockets.is_empty() {
                return Err(mistake(format!("it is empty: name the sockets that messages {what}")).at(key));
            }
        }
        names::check_sources(config, &flow.from, mistake)?;
        names::check_through(config, &flow.through, mistake)?;
        names::check_sinks(config, &flow.to, mistake)?;
        for (index, source) in flow.from.iter().enumerate() {
            let kind = match config.sockets.get(source) {
                Some(socket) if socket.kind == SocketType::Sub => continue,
                Some(socket) => format!("{} socket", socket.kind),
                None => "consumer".to_owned(),
            };
            if let Some(other) = readers.insert(source, name) {
                let what = format!(
                    "`{source}` is a {kind}, which flows.{other} reads already, and each message goes to one reader: \
                     give this flow a socket of its own, or have one flow write to several sockets"
                );
                return Err(mistake(what).at("from").entry(index));
            }
        }
    }
    Ok(())
}
