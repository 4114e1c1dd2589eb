//! A listener and its connections: an accept loop of our own, because warp's sets no timeouts and no bound.

mod answer_body;
pub(crate) mod body;
mod connection;
pub(crate) mod connection_timeouts;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod middleware;
pub(crate) mod overload;
mod refusals;
mod request_body;
mod socket;
pub(crate) mod statistics;
pub(crate) mod tls;
pub(crate) mod token;
pub(crate) mod trace;

use crate::config::BACKLOG;
use crate::flow::{Side, Statistics, Surface};
use crate::ledger::{Hop, Reason};
use crate::log_limit::LogLimit;
use crate::system::descriptors::is_reserved;
use crate::system::fail_point::is_to_fail;
use crate::system::supervisor::Supervisor;
use connection::{Connections, http1, http2};
use connection_timeouts::Timeouts;
use futures_util::future::BoxFuture;
use middleware::Middleware;
use refusals::HeadRefusals;
use statistics::ServerStatistics;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tls::Tls;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before accepting again when the system has no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a client is sent for which there is no descriptor left.
const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n";

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// Connections at the same time; more wait in the system's backlog.
    pub connections_max: usize,
    /// Whether the descriptors that are kept for the host itself are not for its connections.
    pub for_strangers: bool,
    /// Request line and headers together.
    pub head_bytes_max: usize,
    /// Headers of a request.
    pub headers_max: usize,
    /// Requests at the same time on one HTTP/2 connection.
    pub streams_max: u32,
    /// How long a client may take.
    pub timeouts: Timeouts,
}

/// Gives the hops through which the requests of a surface go, each within the one before it.
pub type HopList = Box<dyn Fn() -> Vec<Arc<Hop>> + Send + Sync>;

/// A bound listener, which serves once it was told what.
pub struct Server {
    name: &'static str,
    side: Side,
    listener: Mutex<Option<TcpListener>>,
    address: SocketAddr,
    settings: ServerSettings,
    tls: Option<Arc<Tls>>,
    statistics: Arc<ServerStatistics>,
    hops: HopList,
    stopping: CancellationToken,
    /// When what is left is cut off, once it stops.
    deadline: OnceLock<Instant>,
    serving: Mutex<Option<JoinHandle<()>>>,
    /// The connections that go on for what they follow once the surface has ended.
    followers: TaskTracker,
}

impl Server {
    /// Binds, so that the real port is known before anything serves. With `tls` the surface is HTTPS. What is left in
    /// `hops` when it has ended was given up.
    ///
    /// # Errors
    /// Names the surface and the address.
    pub async fn bind(
        (name, side): (&'static str, Side),
        address: SocketAddr,
        settings: ServerSettings,
        tls: Option<Tls>,
        hops: HopList,
    ) -> Result<Arc<Self>, String> {
        let failed = |error: std::io::Error| {
            let cause = match error.kind() {
                std::io::ErrorKind::AddrInUse => "address in use".to_owned(),
                _ => error.to_string(),
            };
            format!("binding {name} to {address}: {cause}")
        };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Arc::new(Self {
            name,
            side,
            listener: Mutex::new(Some(listener)),
            address,
            settings,
            tls: tls.map(Arc::new),
            statistics: Arc::default(),
            hops,
            stopping: CancellationToken::new(),
            deadline: OnceLock::new(),
            serving: Mutex::default(),
            followers: TaskTracker::new(),
        }))
    }

    /// Cancelled when the surface is told to end.
    pub fn ending(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// The connections that have nothing but streams when the surface ends: whoever ends those is to wait for them.
    pub fn followers(&self) -> TaskTracker {
        self.followers.clone()
    }

    /// Starts to serve, until the surface is told to end.
    pub fn start(self: &Arc<Self>, middleware: Middleware, supervisor: &Supervisor) {
        if let Some(listener) = lock(&self.listener).take() {
            let serving = Arc::clone(self).serve(listener, middleware, supervisor.clone());
            let task = supervisor.task(self.name, serving);
            *lock(&self.serving) = Some(task);
        }
    }

    /// Serves until it stops, then closes the listener, lets requests in flight end and ends idle connections; cuts off
    /// what is left at the deadline.
    async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        middleware: Middleware,
        supervisor: Supervisor,
    ) -> Result<(), String> {
        let Self { settings, tls, statistics, stopping, .. } = &*self;
        let refusals = HeadRefusals {
            head_bytes_max: settings.head_bytes_max,
            headers_max: settings.headers_max,
            uri_bytes_max: middleware.uri_bytes_max,
            statistics: Arc::clone(statistics),
        };
        let tasks = TaskTracker::new();
        let connections = Arc::new(Connections {
            middleware: Arc::new(middleware),
            tls: tls.clone(),
            statistics: Arc::clone(statistics),
            timeouts: settings.timeouts,
            refusals: Arc::new(refusals),
            http1: http1(settings.head_bytes_max, settings.headers_max),
            http2: http2(settings.head_bytes_max, settings.streams_max),
            stopping: stopping.clone(),
            permits: Arc::new(Semaphore::new(settings.connections_max)),
            evicts_idle: !settings.for_strangers,
            tasks: tasks.clone(),
            followers: self.followers.clone(),
        });
        let accepting = accept_all(self.name, &listener, *settings, &connections);
        let watching = tls.as_ref().map(|tls| tls.watch(statistics, &supervisor)).transpose()?;
        let ended = tokio::select! {
            () = stopping.cancelled() => Ok(()),
            () = accepting => Err("it accepts no connections any more".to_owned()),
        };
        drop((listener, watching));
        tasks.close();
        // What is cut off stays in the ledger as in flight, which is how the end of the run knows of it.
        if let (Ok(()), Some(deadline)) = (&ended, self.deadline.get()) {
            let _ = timeout_at((*deadline).into(), tasks.wait()).await;
        }
        ended
    }
}

impl Surface for Server {
    fn name(&self) -> &str {
        self.name
    }

    fn endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    fn side(&self) -> Side {
        self.side
    }

    fn statistics(&self, statistics: &mut Statistics) {
        self.statistics.add_to(statistics, self.name);
    }

    fn end(self: Arc<Self>, deadline: Instant) -> BoxFuture<'static, u64> {
        // The first deadline stands.
        let _ = self.deadline.set(deadline);
        self.stopping.cancel();
        let serving = lock(&self.serving).take();
        Box::pin(async move {
            if let Some(serving) = serving {
                let _ = serving.await;
            }
            let hops = (self.hops)();
            hops.iter().for_each(|hop| hop.close());
            let given_up = hops.iter().map(|hop| {
                let counts = hop.figures();
                counts.in_flight + counts.dropped(Reason::Abandoned)
            });
            // Whose answer has begun is out of the first hop.
            given_up.max().unwrap_or_default()
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As tokio's own, but for the backlog.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a host which is started anew finds its port free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections for ever, each into a task of its own.
async fn accept_all(surface: &str, listener: &TcpListener, settings: ServerSettings, connections: &Arc<Connections>) {
    let mut log_limit = LogLimit::default();
    loop {
        if is_to_fail(surface) {
            return;
        }
        let Ok(permit) = Arc::clone(&connections.permits).acquire_owned().await else { return };
        let failed = match listener.accept().await {
            Ok((stream, _)) if settings.for_strangers && is_reserved(stream.as_raw_fd()) => {
                refuse(&stream, connections.tls.is_some());
                "as many descriptors are taken as strangers may take".to_owned()
            }
            Ok((stream, from)) => {
                // Answers are small and each is complete: waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                let connections = Arc::clone(connections);
                let tracked = connections.tasks.token();
                tokio::spawn(async move { connections.serve(stream, from, permit, tracked).await });
                continue;
            }
            Err(error) => {
                sleep(ACCEPT_RETRY).await;
                error.to_string()
            }
        };
        connections.statistics.accepts_failed.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = log_limit.note(Instant::now()) {
            tracing::warn!(
                times,
                "accepting a connection: {failed}; raise the limit on open files (ulimit -Hn, LimitNOFILE=)"
            );
        }
    }
}

/// Turns a client away. Where there is no TLS it is sent a status, if its socket takes that without a wait.
fn refuse(stream: &TcpStream, is_https: bool) {
    if !is_https {
        let _ = stream.try_write(REFUSED);
    }
}
