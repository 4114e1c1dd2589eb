//! One connection: its handshake, its protocol, and its end if its client takes too long.

use super::connection_timeouts::{ConnectionTimeouts, Timeouts};
use super::middleware::{ClientConnection, ConnectionService, Middleware, OfListener};
use super::refusals::HeadRefusals;
use super::socket::Socket;
use super::statistics::{CutOff, OpenConnection, ServerStatistics};
use super::tls::{HTTP_2, Tls};
use crate::config::{HTTP_CROWDED_IDLE_MS, HTTP_FAREWELL_MS, HTTP2_PING_MS};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The clock of the timers is no finer.
const LOOK_MIN: Duration = Duration::from_millis(1);
/// How long a client may be idle where no permit is left for another one, and how often that is looked at.
const CROWDED_IDLE: Duration = Duration::from_millis(HTTP_CROWDED_IDLE_MS);
const FAREWELL: Duration = Duration::from_millis(HTTP_FAREWELL_MS);

/// As many headers hyper takes by itself, and without memory of its own for each request.
const HYPER_HEADERS_MAX: usize = 100;

/// What all connections of a listener have in common.
pub(super) struct Connections {
    pub(super) middleware: Arc<Middleware>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) statistics: Arc<ServerStatistics>,
    pub(super) timeouts: Timeouts,
    pub(super) refusals: Arc<HeadRefusals>,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<TokioExecutor>,
    pub(super) stopping: CancellationToken,
    /// For as many as may be open at the same time.
    pub(super) permits: Arc<Semaphore>,
    /// Whether a client that does nothing is cut off soon where no permit is left: whoever asks how the host is must
    /// not wait for those who only hold a connection.
    pub(super) evicts_idle: bool,
    /// Those that the end of the listener waits for.
    pub(super) tasks: TaskTracker,
    /// Those that have nothing but streams when the listener ends: they end with these.
    pub(super) followers: TaskTracker,
}

/// HTTP/1 with bounds. hyper's own timeout for heads would hold for idle connections too; [`ConnectionTimeouts`] tells
/// them apart. A client that shuts its side down is still answered.
pub(super) fn http1(head_bytes_max: usize, headers_max: usize) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).half_close(true).max_buf_size(head_bytes_max).max_header_size(head_bytes_max);
    if headers_max != HYPER_HEADERS_MAX {
        http.max_headers(headers_max);
    }
    http
}

/// HTTP/2 with bounds.
pub(super) fn http2(head_bytes_max: usize, streams_max: u32) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(streams_max)
        .keep_alive_interval(Duration::from_millis(HTTP2_PING_MS))
        .keep_alive_timeout(Duration::from_millis(HTTP2_PING_MS));
    http
}

/// A connection of hyper, which can be told to end. Its own crate has no such trait for one of HTTP/1 that may become something
/// else.
trait Connection: Future {
    /// Answers what has come, and ends.
    fn graceful_shutdown(self: Pin<&mut Self>);
}

impl<S> Connection for http1::UpgradeableConnection<TokioIo<Socket<S>>, ConnectionService>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Connection for http2::Connection<TokioIo<Socket<S>>, ConnectionService, TokioExecutor>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl Connections {
    /// Serves one to its end.
    pub(super) async fn serve(
        &self,
        stream: TcpStream,
        from: SocketAddr,
        permit: OwnedSemaphorePermit,
        tracked: TaskTrackerToken,
    ) {
        let open = OpenConnection::new(&self.statistics, permit);
        let Some(tls) = &self.tls else {
            return self.serve_http1(stream, from, open, tracked).await;
        };
        let shaken = tokio::select! {
            () = self.stopping.cancelled() => return,
            shaken = timeout(self.timeouts.handshake, tls.acceptor().accept(stream)) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) => {
                let timeouts = ConnectionTimeouts::new(false);
                let (stream, service) = self.ends(stream, &timeouts, from, open);
                self.watch(self.http2.serve_connection(stream, service), &timeouts, from, tracked).await;
            }
            Ok(Ok(stream)) => self.serve_http1(stream, from, open, tracked).await,
            Ok(Err(error)) => {
                self.statistics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%from, %error, "TLS handshake failed");
            }
            Err(_) => {
                self.statistics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                self.cut_off(CutOff::Handshake, from);
            }
        }
    }

    async fn serve_http1<S>(&self, stream: S, from: SocketAddr, open: OpenConnection, tracked: TaskTrackerToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let timeouts = ConnectionTimeouts::new(true);
        let (stream, service) = self.ends(stream, &timeouts, from, open);
        self.watch(self.http1.serve_connection(stream, service).with_upgrades(), &timeouts, from, tracked).await;
    }

    /// Both ends of hyper: the client's stream, and the service that answers it.
    fn ends<S>(
        &self,
        stream: S,
        timeouts: &Arc<ConnectionTimeouts>,
        from: SocketAddr,
        open: OpenConnection,
    ) -> (TokioIo<Socket<S>>, ConnectionService) {
        let (timeouts, refusals) = (Arc::clone(timeouts), Arc::clone(&self.refusals));
        let socket = Socket::new(stream, Arc::clone(&timeouts), Arc::clone(&refusals));
        let (statistics, is_https) = (Arc::clone(&self.statistics), self.tls.is_some());
        let (stopping, followers) = (self.stopping.clone(), self.followers.clone());
        let listener = OfListener { stopping, followers, answer_timeout: self.timeouts.answer };
        let client = ClientConnection { timeouts, statistics, refusals, from, is_https, listener, _open: open };
        (TokioIo::new(socket), self.middleware.service_for(client))
    }

    /// The timeouts that hold at this moment.
    fn current_timeouts(&self) -> Timeouts {
        let usual = self.timeouts;
        match self.evicts_idle && self.permits.available_permits() == 0 {
            true => Timeouts { head: usual.head.min(CROWDED_IDLE), idle: usual.idle.min(CROWDED_IDLE), ..usual },
            false => usual,
        }
    }

    /// When a connection is to be looked at again.
    fn due(&self, timeouts: &ConnectionTimeouts, now: Instant) -> Instant {
        let due = timeouts.due(self.current_timeouts(), now);
        if self.evicts_idle { due.min(now + CROWDED_IDLE) } else { due }
    }

    /// Serves until the client ends it, takes too long, or the host ends.
    async fn watch<C>(
        &self,
        connection: C,
        timeouts: &ConnectionTimeouts,
        from: SocketAddr,
        mut tracked: TaskTrackerToken,
    ) where
        C: Connection<Output = Result<(), hyper::Error>>,
    {
        let mut connection = pin!(connection);
        let mut stopping = pin!(self.stopping.cancelled());
        let mut look = pin!(sleep_until(self.due(timeouts, Instant::now()).into()));
        let mut ending = None;
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%from, %error, "connection ended");
                    }
                    return;
                }
                () = &mut stopping, if ending.is_none() => {
                    let now = Instant::now();
                    ending = Some(now);
                    connection.as_mut().graceful_shutdown();
                    look.as_mut().reset(now.into());
                }
                () = &mut look => {
                    let now = Instant::now();
                    if ending.is_some_and(|ending| is_over(timeouts, ending, now)) {
                        return;
                    }
                    if ending.is_some_and(|ending| has_only_streams(timeouts, ending, now)) {
                        drop(std::mem::replace(&mut tracked, self.followers.token()));
                    }
                    let due = self.due(timeouts, now);
                    let due = if ending.is_some() { due.min(now + FAREWELL) } else { due };
                    match timeouts.exceeded(self.current_timeouts(), now) {
                        None => look.as_mut().reset(due.max(now + LOOK_MIN).into()),
                        // Nothing is lost with it, so the client may be told.
                        Some(CutOff::Idle) => {
                            self.cut_off(CutOff::Idle, from);
                            connection.as_mut().graceful_shutdown();
                            let _ = timeout(FAREWELL, connection).await;
                            return;
                        }
                        Some(reason) => return self.cut_off(reason, from),
                    }
                }
            }
        }
    }

    fn cut_off(&self, reason: CutOff, from: SocketAddr) {
        self.statistics.count_cut_off(reason);
        tracing::debug!(%from, reason = reason.as_str(), "connection cut off");
    }
}

/// Whether a connection of a host that ends since `ending` has nothing to wait for: without a whole head there is
/// nothing to answer. A client of HTTP/2 is told which of its requests were seen, and gets some time to say that it
/// heard; so does one that may still send, for an end in the midst of that could destroy its last answer on the way.
fn is_over(timeouts: &ConnectionTimeouts, ending: Instant, now: Instant) -> bool {
    let farewell = if timeouts.is_http1() && !timeouts.has_unread() { Duration::ZERO } else { FAREWELL };
    timeouts.quits_since().is_some_and(|since| now.saturating_duration_since(since.max(ending)) >= farewell)
}

/// Whether such a connection has nothing to wait for but streams, and no request can be on its way to it any more.
fn has_only_streams(timeouts: &ConnectionTimeouts, ending: Instant, now: Instant) -> bool {
    let farewell = if timeouts.is_http1() { Duration::ZERO } else { FAREWELL };
    timeouts.only_streams_since().is_some_and(|since| now.saturating_duration_since(since.max(ending)) >= farewell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_still_send_gets_time_at_the_end_of_the_host() {
        let (timeouts, now) = (ConnectionTimeouts::new(true), Instant::now());
        assert!(is_over(&timeouts, now, now));
        timeouts.set_unread();
        assert!(!is_over(&timeouts, now, now + FAREWELL / 2));
        assert!(is_over(&timeouts, now, now + 2 * FAREWELL));
    }

    #[test]
    fn the_end_waits_for_requests_but_not_for_streams() {
        for (is_http1, farewell) in [(true, Duration::ZERO), (false, FAREWELL)] {
            let timeouts = ConnectionTimeouts::new(is_http1);
            let (mut stream, request) = (timeouts.begin(), timeouts.begin());
            stream.set_stream();
            stream.set_stream();
            let now = Instant::now();
            assert!(!has_only_streams(&timeouts, now, now + 2 * FAREWELL));
            drop(request);
            let now = Instant::now();
            assert_eq!(has_only_streams(&timeouts, now, now), is_http1);
            assert!(has_only_streams(&timeouts, now, now + farewell) && !is_over(&timeouts, now, now + 2 * FAREWELL));
            drop(stream);
            assert!(!has_only_streams(&timeouts, now, now + 2 * FAREWELL));
            assert!(is_over(&timeouts, now, now + 2 * FAREWELL));
        }
    }
}
