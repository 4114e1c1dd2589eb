//! What guests may not have and can still ask for: sockets, name look-ups and stdin, refused as WASI does and counted.

use super::guest::Guest;
use crate::plugin::slot::account::{Account, Denied};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncRead;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily, Network};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup::ResolveAddressStream, tcp::TcpSocket, udp::UdpSocket};
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};

/// The version of WASI in the linker.
const WASI: &str = "0.2.12";

/// Puts functions that count in place of those that make sockets and look up names, and would only refuse.
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
    which(&store.data().account.denied).fetch_add(1, Ordering::Relaxed);
}

/// A stdin that is at its end, and counts who reads it.
#[derive(Clone)]
pub(super) struct CountedStdin(pub(super) Arc<Account>);

impl IsTerminal for CountedStdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for CountedStdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> DynInputStream {
        Box::new(self.clone())
    }
}

impl InputStream for CountedStdin {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        self.0.denied.stdin.fetch_add(1, Ordering::Relaxed);
        Err(StreamError::Closed)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for CountedStdin {
    async fn ready(&mut self) {}
}
