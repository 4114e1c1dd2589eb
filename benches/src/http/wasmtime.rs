//! `wasmtime serve`: the same logic as a component for wasi:http, which publishes nothing and has no deadline.

use super::contender::{Contender, REUSE, Running, Server, free_address};
use crate::host;
use std::path::Path;
use std::process::Command;

pub const AS_IT_COMES: &str = "wasmtime serve, as it comes";
pub const RECIPE: &str = "wasmtime serve, our guest and pool recipe";
pub const REUSED: &str = "wasmtime serve, recipe, instance reused";

/// The settings of the host's own pool; see host/src/plugin/run/runtime.rs.
const POOL: [&str; 3] =
    ["-Opooling-allocator=y", "-Opooling-memory-keep-resident=131072", "-Opooling-table-keep-resident=65536"];

/// The three contenders, or the reason why they cannot take part.
pub fn contenders(wasmtime: &Path) -> Result<Vec<Contender>, String> {
    let version = Command::new(wasmtime).arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        return Err(format!(
            "wasmtime serve: {} does not run: cargo install wasmtime-cli@^48 --locked, or name another with --wasmtime",
            wasmtime.display()
        ));
    }
    let reuse = format!("--max-instance-reuse-count={REUSE}");
    let recipe: Vec<String> = POOL.map(str::to_owned).into();
    let reused = recipe.iter().cloned().chain([reuse]).collect();
    Ok(vec![
        contender(AS_IT_COMES, wasmtime, Vec::new(), "as-it-comes.wasm"),
        contender(RECIPE, wasmtime, recipe, "recipe.wasm"),
        contender(REUSED, wasmtime, reused, "recipe.wasm"),
    ])
}

fn contender(name: &'static str, wasmtime: &Path, flags: Vec<String>, component: &'static str) -> Contender {
    let wasmtime = wasmtime.to_owned();
    Contender::new(name, move || {
        let address = free_address()?;
        let mut command = Command::new(&wasmtime);
        command.arg("serve").arg(format!("--addr={address}")).args(&flags);
        command.arg(host::root().join("benches/contenders/wasi-http").join(component));
        Ok(Running { address, tap: None, server: Server::start(&mut command)? })
    })
}
