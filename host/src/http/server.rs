//! A listener and its connections: an accept loop of our own, because warp's sets no timeouts and no bound.

use super::connection::{Connections, http1, http2};
use super::entrance::Entrance;
use super::figures::Figures;
use super::pulse::Patience;
use super::refusals::Refusals;
use super::tls::Tls;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait before accepting again when the system has no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Connections at the same time; more wait in the system's backlog.
    pub connections_max: usize,
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
        let listener = TcpListener::bind(address).await.map_err(failed)?;
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
        });
        let tasks = TaskTracker::new();
        let accepting = accept_all(&listener, settings.connections_max, &connections, &tasks);
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

/// Accepts connections for ever, each into a task of its own.
async fn accept_all(
    listener: &TcpListener,
    connections_max: usize,
    connections: &Arc<Connections>,
    tasks: &TaskTracker,
) {
    let places = Arc::new(Semaphore::new(connections_max));
    loop {
        let Some((stream, from, place)) = accept(listener, &places).await else {
            connections.figures.accepts_failed.fetch_add(1, Ordering::Relaxed);
            sleep(ACCEPT_RETRY).await;
            continue;
        };
        let connections = Arc::clone(connections);
        tasks.spawn(async move {
            connections.serve(stream, from).await;
            drop(place);
        });
    }
}

/// The next connection and its place among those that may be open; none if the system refused.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, from)) => {
            // Answers are small and each is complete: waiting to fill a packet only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, from, place))
        }
        Err(error) => {
            tracing::warn!(%error, "accepting a connection");
            None
        }
    }
}
