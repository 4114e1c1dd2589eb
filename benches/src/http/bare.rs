//! warp and nothing else: the same answer with the logic inline, without PUB, ledger, bounds or ids.

use super::contender::{Contender, Running, Server, free_address};
use crate::example;
use crate::options::Options;
use anyhow::Result;
use std::process::Command;

pub const BARE_WARP: &str = "warp alone, no PUB";

pub fn contender(options: &Options) -> Result<Contender> {
    let program = example::build(options.host.as_deref(), "bare", &[])?;
    Ok(Contender::new(BARE_WARP, move || {
        let address = free_address()?;
        let server = Server::start(Command::new(&program).arg(address.to_string()))?;
        Ok(Running { address, tap: None, server })
    }))
}
