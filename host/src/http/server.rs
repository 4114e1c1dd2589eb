//! A listener and its connections: an accept loop of our own, because warp's sets no timeouts and no bound.

mod answer_body;
pub(crate) mod body;
mod connection;
pub(crate) mod connection_timeouts;
pub(crate) mod figures;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod middleware;
pub(crate) mod overload;
mod refusals;
mod request_body;
mod socket;
pub(crate) mod tls;
pub(crate) mod token;
pub(crate) mod trace;

use crate::complaint::Complaint;
use crate::config::BACKLOG;
use crate::system::descriptors::is_reserved;
use connection::{Connections, http1, http2};
use connection_timeouts::Patience;
use figures::Figures;
use middleware::Entrance;
use refusals::Refusals;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tls::Tls;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before accepting again when the system has no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What a client is told for which there is no descriptor left.
const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n";

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
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
    pub patience: Patience,
}

/// A bound listener that does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
    tls: Option<Arc<Tls>>,
    figures: Arc<Figures>,
}

impl Server {
    /// Binds, so that the real port is known before anything serves. With `tls` the surface is HTTPS.
    ///
    /// # Errors
    /// Names the surface and the address.
    pub async fn bind(
        surface: &str,
        address: SocketAddr,
        settings: Settings,
        tls: Option<Tls>,
    ) -> Result<Self, String> {
        let failed = |error: std::io::Error| {
            let cause = match error.kind() {
                std::io::ErrorKind::AddrInUse => "address in use".to_owned(),
                _ => error.to_string(),
            };
            format!("binding {surface} to {address}: {cause}")
        };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, settings, tls: tls.map(Arc::new), figures: Arc::default() })
    }

    /// Where it is, with its real port: `http://127.0.0.1:5000`.
    pub fn place(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// What it tells of itself, before and while it serves.
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Serves until `stopping`, then closes the listener, lets requests in flight end and ends idle connections; cuts
    /// off what is left after `grace`.
    pub async fn serve(self, entrance: Entrance, stopping: CancellationToken, grace: Duration) {
        let Self { listener, settings, tls, figures, .. } = self;
        let refusals = Refusals {
            head_bytes_max: settings.head_bytes_max,
            headers_max: settings.headers_max,
            uri_bytes_max: entrance.uri_bytes_max,
            figures: Arc::clone(&figures),
        };
        let connections = Arc::new(Connections {
            entrance: Arc::new(entrance),
            tls: tls.clone(),
            figures: Arc::clone(&figures),
            patience: settings.patience,
            refusals: Arc::new(refusals),
            http1: http1(settings.head_bytes_max, settings.headers_max),
            http2: http2(settings.head_bytes_max, settings.streams_max),
            stopping: stopping.clone(),
            places: Arc::new(Semaphore::new(settings.connections_max)),
            makes_way: !settings.for_strangers,
        });
        let tasks = TaskTracker::new();
        let accepting = accept_all(&listener, settings, &connections, &tasks);
        let watching = async {
            match &tls {
                Some(tls) => tls.watch(&figures).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = accepting => {}
            () = watching => {}
        }

        drop(listener);
        tasks.close();
        // What is cut off stays in the ledger as in flight, which is how the end of the run knows of it.
        let _ = timeout(grace, tasks.wait()).await;
    }
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
async fn accept_all(listener: &TcpListener, settings: Settings, connections: &Arc<Connections>, tasks: &TaskTracker) {
    let mut complaint = Complaint::default();
    loop {
        let Ok(place) = Arc::clone(&connections.places).acquire_owned().await else { return };
        let failed = match listener.accept().await {
            Ok((stream, _)) if settings.for_strangers && is_reserved(stream.as_raw_fd()) => {
                refuse(&stream, connections.tls.is_some());
                "as many descriptors are taken as strangers may take".to_owned()
            }
            Ok((stream, from)) => {
                // Answers are small and each is complete: waiting to fill a packet only delays them.
                let _ = stream.set_nodelay(true);
                let connections = Arc::clone(connections);
                tasks.spawn(async move {
                    connections.serve(stream, from).await;
                    drop(place);
                });
                continue;
            }
            Err(error) => {
                sleep(ACCEPT_RETRY).await;
                error.to_string()
            }
        };
        connections.figures.accepts_failed.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = complaint.note(Instant::now()) {
            tracing::warn!(
                times,
                "accepting a connection: {failed}; raise the limit on open files (ulimit -Hn, LimitNOFILE=)"
            );
        }
    }
}

/// Turns a client away, with a word where that can be said in plain text; it is not waited for to be heard.
fn refuse(stream: &TcpStream, is_https: bool) {
    if !is_https {
        let _ = stream.try_write(REFUSED);
    }
}
