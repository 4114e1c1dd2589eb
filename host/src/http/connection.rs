//! One connection: its handshake, its protocol, and its end if its client takes its time.

use super::entrance::Entrance;
use super::figures::{CutOff, Figures, OpenConnection};
use super::pulse::{Felt, Patience, Pulse};
use super::tls::{HTTP_2, Tls};
use crate::config::{HTTP_LINGER_MS, HTTP2_PING_MS};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The clock of the timers is no finer.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// What all connections of a listener have in common.
pub(super) struct Connections {
    pub(super) entrance: Arc<Entrance>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) figures: Arc<Figures>,
    pub(super) patience: Patience,
    pub(super) http1: http1::Builder,
    pub(super) http2: http2::Builder<TokioExecutor>,
    pub(super) stopping: CancellationToken,
}

/// HTTP/1 with bounds. hyper's own timeout for heads would hold for idle connections too; [`Pulse`] tells them apart.
pub(super) fn http1(head_bytes_max: usize) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_buf_size(head_bytes_max);
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

impl Connections {
    /// Serves one to its end.
    pub(super) async fn serve(&self, stream: TcpStream, from: SocketAddr) {
        let _open = OpenConnection::new(&self.figures);
        let Some(tls) = &self.tls else {
            let pulse = Pulse::new(true);
            return self.serve_http1(stream, pulse, from).await;
        };
        let shaken = tokio::select! {
            () = self.stopping.cancelled() => return,
            shaken = timeout(self.patience.handshake, tls.acceptor().accept(stream)) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) => {
                let pulse = Pulse::new(false);
                let door = self.entrance.door(Arc::clone(&pulse), Arc::clone(&self.figures));
                self.watch(self.http2.serve_connection(TokioIo::new(stream), door), &pulse, from).await;
            }
            Ok(Ok(stream)) => self.serve_http1(stream, Pulse::new(true), from).await,
            Ok(Err(error)) => {
                self.figures.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%from, %error, "TLS handshake failed");
            }
            Err(_) => {
                self.figures.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                self.cut_off(CutOff::Handshake, from);
            }
        }
    }

    async fn serve_http1<S>(&self, stream: S, pulse: Arc<Pulse>, from: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let door = self.entrance.door(Arc::clone(&pulse), Arc::clone(&self.figures));
        let stream = TokioIo::new(Felt::new(stream, Arc::clone(&pulse)));
        self.watch(self.http1.serve_connection(stream, door), &pulse, from).await;
    }

    /// Serves until the client ends it, takes too long, or the host ends.
    async fn watch<C>(&self, connection: C, pulse: &Pulse, from: SocketAddr)
    where
        C: GracefulConnection<Error: Display>,
    {
        let mut connection = pin!(connection);
        let mut stopping = pin!(self.stopping.cancelled());
        let mut look = pin!(sleep_until(pulse.due(self.patience, Instant::now()).into()));
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => {
                    if let Err(error) = ended {
                        tracing::debug!(%from, %error, "connection ended");
                    }
                    return;
                }
                () = &mut stopping, if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut look => {
                    let now = Instant::now();
                    match pulse.exceeded(self.patience, now) {
                        None => look.as_mut().reset((pulse.due(self.patience, now).max(now + LOOK_MIN)).into()),
                        // Nothing is lost with it, so the client may be told.
                        Some(CutOff::Idle) => {
                            self.cut_off(CutOff::Idle, from);
                            connection.as_mut().graceful_shutdown();
                            let _ = timeout(Duration::from_millis(HTTP_LINGER_MS), connection).await;
                            return;
                        }
                        Some(reason) => return self.cut_off(reason, from),
                    }
                }
            }
        }
    }

    fn cut_off(&self, reason: CutOff, from: SocketAddr) {
        self.figures.count_cut_off(reason);
        tracing::debug!(%from, reason = reason.as_str(), "connection cut off");
    }
}
