//! Requests that handlers send: refused and counted unless the operator granted the host, and bounded in number and
//! time.

mod connect;

use crate::config::{
    Grant, HANDLER_PIECE_BYTES_MAX, HANDLER_PIECES_MAX, OUTBOUND_CONNECT_MS_MAX, OUTBOUND_REQUESTS_MAX,
};
use crate::plugin::call::CallNumber;
use crate::plugin::run::plugin_state::PluginState;
use connect::connect;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// Keeps out of the log what wasmtime-wasi-http says of failed requests: a guest could write as many lines as it likes.
pub const LOG_FILTER: &str = "wasmtime_wasi_http=off";

/// The end of a request's processing.
type Processing = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

/// The requests of one guest.
pub(super) struct HttpClient {
    plugin_state: Arc<PluginState>,
    number: CallNumber,
    has_network: bool,
}

/// A request that may go out.
struct Admitted {
    host: String,
    port: u16,
    is_https: bool,
    grant: Grant,
    plugin_state: Arc<PluginState>,
    number: CallNumber,
    permit: OwnedSemaphorePermit,
}

impl HttpClient {
    /// For the call with this number.
    pub(super) fn new(plugin_state: Arc<PluginState>, number: CallNumber) -> Self {
        let has_network = plugin_state.has_network(number);
        Self { plugin_state, number, has_network }
    }

    /// Whether a request may go out, and there is a permit for it.
    fn admit(&self, uri: &Uri) -> Result<Admitted, Error> {
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or(Error::HttpRequestUriInvalid)?;
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        let (host, port) = (authority.host(), authority.port_u16().unwrap_or(if is_https { 443 } else { 80 }));
        if !self.has_network {
            self.plugin_state.note_refused_request(&format!("{host}:{port}"));
            return Err(Error::HttpRequestDenied);
        }
        let Some(grant) = self.plugin_state.outbound.iter().find(|grant| grant.covers(host, port)) else {
            let name = &self.plugin_state.name;
            let text = format!("a request to {host}:{port} is refused: outbound of [plugins.{name}] does not grant it");
            self.plugin_state.deny_outbound(self.number, &text);
            return Err(Error::HttpRequestDenied);
        };
        let permit = Arc::clone(&self.plugin_state.outbound_permits).try_acquire_owned().map_err(|_| {
            self.plugin_state.log(
                self.number,
                tracing::Level::WARN,
                "outbound",
                &format!("{OUTBOUND_REQUESTS_MAX} requests are under way already; the one to {host}:{port} is refused"),
            );
            Error::ConnectionLimitReached
        })?;
        let (plugin_state, grant) = (Arc::clone(&self.plugin_state), grant.clone());
        Ok(Admitted { host: host.to_owned(), port, is_https, grant, plugin_state, number: self.number, permit })
    }
}

impl PluginState {
    /// Counts a request to where the plugin may not go, and says so within the plugin's share of the log.
    fn deny_outbound(&self, number: CallNumber, text: &str) {
        self.denied.outbound.fetch_add(1, Ordering::Relaxed);
        self.log(number, tracing::Level::WARN, "outbound", text);
    }
}

impl WasiHttpHooks for HttpClient {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let admitted = self.admit(request.uri());
        Box::new(async move { send(admitted?, request, options.unwrap_or_default()).await })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        HANDLER_PIECES_MAX
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        HANDLER_PIECE_BYTES_MAX
    }

    fn p2_error_from_hyper(&mut self, error: &hyper::Error) -> ErrorCode {
        if error.is_incomplete_message() { ErrorCode::ConnectionTerminated } else { ErrorCode::HttpProtocolError }
    }

    fn p2_error_from_connect(&mut self, error: &io::Error) -> ErrorCode {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
            io::ErrorKind::TimedOut => ErrorCode::ConnectionTimeout,
            _ => ErrorCode::DestinationUnavailable,
        }
    }

    fn p2_error_from_tls(&mut self, _: &io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}

/// Sends one request on a connection of its own. Whoever drops what is returned ends the connection.
async fn send(admitted: Admitted, mut request: Request<WasiBody>, options: RequestOptions) -> Sent {
    let longest = Duration::from_millis(OUTBOUND_CONNECT_MS_MAX);
    let connect_timeout = options.connect_timeout.unwrap_or(longest).min(longest);
    let stream = timeout(connect_timeout, connect(&admitted)).await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = spawn(async move {
        let _permit = admitted.permit;
        // Why it broke off is for the guest to read, from the body.
        let _ = connection.await;
    });
    // The connection is to the server itself; only a proxy is sent a whole URI.
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    let sending = sender.send_request(request);
    let response = match options.first_byte_timeout {
        Some(first_byte_timeout) => {
            timeout(first_byte_timeout, sending).await.map_err(|_| Error::HttpResponseTimeout)?
        }
        None => sending.await,
    }?;
    let processing: Processing = Box::pin(async move {
        connection.await;
        Ok(())
    });
    Ok((response.map(|body| body.map_err(Error::from).boxed_unsync()), Box::new(processing)))
}
