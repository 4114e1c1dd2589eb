//! What guests may not have and can still ask for: sockets and name look-ups, refused as WASI does and counted.

use super::Guest;
use crate::plugin::run::plugin_state::Denied;
use std::sync::atomic::{AtomicU64, Ordering};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, Network};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup::ResolveAddressStream, tcp::TcpSocket, udp::UdpSocket};

/// The version of WASI in the linker.
const WASI: &str = "0.2.12";

/// Puts functions that count in place of those that make sockets and look up names, and would only refuse.
///
/// # Errors
/// When wasmtime refuses to define one of them.
pub(super) fn add_counted_sockets(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance(&format!("wasi:sockets/tcp-create-socket@{WASI}"))?.func_wrap(
        "create-tcp-socket",
        |store: StoreContextMut<Guest>, (_,): (IpAddressFamily,)| {
            count(&store, |denied| &denied.sockets);
            Ok((Err::<Resource<TcpSocket>, _>(ErrorCode::AccessDenied),))
        },
    )?;
    linker.instance(&format!("wasi:sockets/udp-create-socket@{WASI}"))?.func_wrap(
        "create-udp-socket",
        |store: StoreContextMut<Guest>, (_,): (IpAddressFamily,)| {
            count(&store, |denied| &denied.sockets);
            Ok((Err::<Resource<UdpSocket>, _>(ErrorCode::AccessDenied),))
        },
    )?;
    linker.instance(&format!("wasi:sockets/ip-name-lookup@{WASI}"))?.func_wrap(
        "resolve-addresses",
        |store: StoreContextMut<Guest>, (_, _): (Resource<Network>, String)| {
            count(&store, |denied| &denied.name_lookups);
            Ok((Err::<Resource<ResolveAddressStream>, _>(ErrorCode::PermanentResolverFailure),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn count(store: &StoreContextMut<Guest>, which: impl Fn(&Denied) -> &AtomicU64) {
    which(&store.data().plugin_state.denied).fetch_add(1, Ordering::Relaxed);
}
