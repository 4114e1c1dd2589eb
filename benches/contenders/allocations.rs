//! The allocations of one request to `/NAME/`, by all threads of the process: with warp alone, and in the host with the
//! logic compiled in (feature `compiled-in`), with a reused instance, and with the default configuration.
//!
//! It is an example of the package `host`, so that it links the host's own library. It writes a line for each
//! contender: its name, a tab, and allocations. The client is in the same process and allocates nothing.

mod route;

use anyhow::{Context, Result, ensure};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidegate::app::App;
use tidegate::cli;
use tidegate::config::{Address, Config, Endpoint, Plugin};
use tidegate::plugin::{COMPILER_SUBCOMMAND, Source};
use tokio::runtime::Runtime;

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A parameter that must be decoded.
const PARAMETER: &str = "Hello%20World%20MiXeD";
const ANSWER: &[u8] = b"lower case of Hello World MiXeD is hello world mixed";
/// The number of requests before the count, after which everything that is allocated once exists.
const WARM_UP: u32 = 2_000;
const REQUESTS: u32 = 20_000;
/// How long a server gets to listen, and the interval at which that is polled.
const START_MAX: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);

fn main() -> Result<ExitCode> {
    // The engine starts this program again to compile.
    if std::env::args().nth(1).as_deref() == Some(COMPILER_SUBCOMMAND) {
        return Ok(cli::run());
    }
    let component = std::env::args().nth(1).context("say where the component of downcase is")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    print("warp alone", allocations(bare_warp(&runtime)?, "downcase")?);
    for publish in [false, true] {
        let http = host(&runtime, component.as_ref(), publish)?;
        let named = |contender: &str| format!("{contender}{}", if publish { ", published" } else { "" });
        if cfg!(feature = "compiled-in") {
            print(&named("compiled in"), allocations(http, "downcase")?);
        }
        print(&named("reused"), allocations(http, "reused")?);
        print(&named("default"), allocations(http, "default")?);
    }
    // The hosts would serve until a signal.
    std::process::exit(0)
}

fn print(contender: &str, allocations: f64) {
    println!("{contender}\t{allocations:.1}");
}

/// Serves the same route in warp, with the logic inline.
fn bare_warp(runtime: &Runtime) -> Result<SocketAddr> {
    let address = free_address()?;
    runtime.spawn(warp::serve(route::downcase()).run(address));
    Ok(address)
}

/// Runs a host in this process, with the component under the names of its contenders.
fn host(runtime: &Runtime, component: &Path, publish: bool) -> Result<SocketAddr> {
    let (address, publish_endpoint) = (free_address()?, format!("tcp://{}", free_address()?));
    let cache = tempfile::tempdir()?;
    let mut config = Config::default();
    config.http.address = Address(Some(address));
    config.admin.address = Address(None);
    config.cache.directory = Some(cache.path().to_owned());
    config.messaging.frontend = Endpoint(None);
    config.messaging.publish = Endpoint(publish.then(|| publish_endpoint.clone()));
    config.plugins = BTreeMap::from([("reused".to_owned(), Plugin { reuse: u32::MAX, ..Plugin::default() })]);
    let source = |name: &str| Source { name: name.to_owned(), place: component.to_owned().into() };
    let named = ["downcase", "reused", "default"].map(source).to_vec();
    let app = runtime.block_on(App::build(config, named, Arc::new(|| Ok(Config::default())), || [("", 0); 2]));
    let app = app.map_err(|error| anyhow::anyhow!("the host does not start: {error:?}"))?;
    runtime.spawn(app.run());
    if publish {
        // The subscriber is connected long before the warm-up is over.
        std::thread::spawn(move || subscribe(&publish_endpoint));
    }
    Ok(address)
}

/// Receives all messages that are published.
fn subscribe(endpoint: &str) -> zmq::Result<()> {
    let socket = zmq::Context::new().socket(zmq::SUB)?;
    socket.set_subscribe(b"")?;
    socket.connect(endpoint)?;
    let mut message = zmq::Message::new();
    loop {
        socket.recv(&mut message, 0)?;
    }
}

/// The average allocations of many requests over one connection.
fn allocations(server: SocketAddr, name: &str) -> Result<f64> {
    let mut stream = connect(server)?;
    let request = format!("GET /{name}/?param={PARAMETER} HTTP/1.1\r\nhost: {server}\r\n\r\n");
    for _ in 0..WARM_UP {
        exchange(&mut stream, request.as_bytes())?;
    }
    let before = MEMORY.stats();
    for _ in 0..REQUESTS {
        exchange(&mut stream, request.as_bytes())?;
    }
    let after = MEMORY.stats();
    let taken = after.allocations + after.reallocations - before.allocations - before.reallocations;
    Ok(taken as f64 / f64::from(REQUESTS))
}

/// Connects to a server that may not listen yet.
fn connect(server: SocketAddr) -> Result<TcpStream> {
    let began = Instant::now();
    loop {
        match TcpStream::connect(server) {
            Err(_) if began.elapsed() < START_MAX => std::thread::sleep(LOOK),
            ended => return ended.with_context(|| format!("connecting to {server}")),
        }
    }
}

/// Makes one request and reads its answer.
fn exchange(stream: &mut TcpStream, request: &[u8]) -> Result<()> {
    stream.write_all(request)?;
    let (mut answer, mut bytes) = ([0; 1024], 0);
    while !answer[..bytes].ends_with(ANSWER) {
        let read = stream.read(&mut answer[bytes..])?;
        ensure!(read > 0, "no answer but {}", String::from_utf8_lossy(&answer[..bytes]));
        bytes += read;
    }
    Ok(())
}

/// A free address: the host in this process would print its own only to stdout.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
