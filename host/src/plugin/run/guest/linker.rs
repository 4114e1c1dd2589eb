//! All that a guest can import: standard WASI, with nothing behind files, sockets, environment and arguments, for
//! handlers wasi:http, and wasi:keyvalue.

use super::denied::add_counted_sockets;
use super::keyvalue::add_keyvalue;
use super::{Guest, add_logging};
use wasmtime::component::Linker;
use wasmtime_wasi_config::WasiConfig;

/// Everything that a component may import; which role may import what is the type-check's business.
///
/// # Errors
/// When wasmtime refuses to define one of them.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    add_counted_sockets(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, |guest: &mut Guest| {
        WasiConfig::from(&*guest.plugin_state.settings)
    })?;
    add_logging(&mut linker)?;
    add_keyvalue(&mut linker)?;
    Ok(linker)
}
