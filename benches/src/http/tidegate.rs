//! The host: with plugins and with the logic compiled in, with a subscriber and without PUB.

use super::contender::{Contender, REUSE, Running, Server};
use crate::host::{self, Host};
use crate::options::Options;
use crate::tap::Tap;
use anyhow::Result;
use std::path::Path;

pub const TIDEGATE: &str = "tidegate";
pub const TIDEGATE_SILENT: &str = "tidegate, no PUB";
pub const FRESH: &str = "tidegate, fresh instances";
pub const REUSED: &str = "tidegate, instance reused";
pub const COMPILED_IN: &str = "logic compiled in";
pub const COMPILED_IN_SILENT: &str = "logic compiled in, no PUB";

/// All contenders, or those with plugins and the reason why the others cannot take part.
pub fn contenders(options: &Options) -> Result<(Vec<Contender>, Option<String>)> {
    // This build first, because both write to the same path.
    let compiled_in = match (&options.compiled_in, &options.host) {
        (Some(path), _) => Some(path.clone()),
        (None, None) => Some(host::build_compiled_in()?),
        (None, Some(_)) => None,
    };
    let host = options.host.clone().map_or_else(host::build, Ok)?;
    let mut contenders = vec![
        contender(TIDEGATE, &host, true, ""),
        contender(TIDEGATE_SILENT, &host, false, ""),
        contender(FRESH, &host, true, "[plugins.downcase]\nisolation = \"fresh\"\n"),
        contender(REUSED, &host, true, &format!("[plugins.downcase]\nreuse = {REUSE}\n")),
    ];
    let Some(compiled_in) = compiled_in else {
        return Ok((contenders, Some(format!("{COMPILED_IN}: beside --host, name a build of it with --compiled-in"))));
    };
    contenders.push(contender(COMPILED_IN, &compiled_in, true, ""));
    contenders.push(contender(COMPILED_IN_SILENT, &compiled_in, false, ""));
    Ok((contenders, None))
}

fn contender(name: &'static str, binary: &Path, publishes: bool, config: &str) -> Contender {
    let (binary, config) = (binary.to_owned(), config.to_owned());
    Contender::host(name, move || {
        let plugin = host::root().join("plugins/downcase.wasm");
        let flags: &[&str] = if publishes { &[] } else { &["--publish=none"] };
        let host = Host::start_with(&binary, &[("downcase", &plugin)], &config, flags)?;
        let tap = if publishes { Some(Tap::on(host.place("publish")?)?) } else { None };
        Ok(Running { address: host.http()?, tap, server: Server::Host(host) })
    })
}
