//! A listener and its connections: an accept loop of our own, because warp's sets no header timeout and no bound.

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use warp::filters::BoxedFilter;
use warp::reply::Response;

/// How long to wait before accepting again when the system has no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The bounds of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Connections at the same time; more wait in the system's backlog.
    pub connections_max: usize,
    /// Request line and headers together.
    pub head_bytes_max: usize,
    /// For a request's head to come whole, and for a client to take in what was written to it.
    pub io_timeout: Duration,
}

/// A bound listener that does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
}

impl Server {
    /// Binds, so that the real port is known before anything serves.
    ///
    /// # Errors
    /// Names the surface and the address.
    pub async fn bind(surface: &str, address: SocketAddr, settings: Settings) -> Result<Self, String> {
        let failed = |error: std::io::Error| {
            let cause = match error.kind() {
                std::io::ErrorKind::AddrInUse => "address in use".to_owned(),
                _ => error.to_string(),
            };
            format!("binding {surface} to {address}: {cause}")
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, settings })
    }

    /// The address with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopping`, then closes the listener, lets requests in flight end and ends idle connections; cuts
    /// off what is left after `grace`.
    pub async fn serve(self, routes: BoxedFilter<(Response,)>, stopping: CancellationToken, grace: Duration) {
        let service = TowerToHyperService::new(warp::service(routes));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.settings.io_timeout)
            .max_buf_size(self.settings.head_bytes_max);
        let places = Arc::new(Semaphore::new(self.settings.connections_max));
        let graceful = GracefulShutdown::new();

        loop {
            let accepted = tokio::select! {
                () = stopping.cancelled() => break,
                accepted = accept(&self.listener, &places) => accepted,
            };
            let Some((stream, place)) = accepted else {
                sleep(ACCEPT_RETRY).await;
                continue;
            };
            let mut stream = TimeoutStream::new(stream);
            // A client that does not read is cut off; reads have their own timeouts, since a read also waits while the
            // plugin works.
            stream.set_write_timeout(Some(self.settings.io_timeout));
            let stream = Box::pin(stream);
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
            });
        }

        drop(self.listener);
        // What is cut off stays in the ledger as in flight, which is how the end of the run knows of it.
        let _ = timeout(grace, graceful.shutdown()).await;
    }
}

/// The next connection and its place among those that may be open; none if the system refused.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small and each is complete: waiting to fill a packet only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) => {
            tracing::warn!(%error, "accepting a connection");
            None
        }
    }
}
