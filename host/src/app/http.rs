//! The HTTP side of a host: its surfaces as configured, and what they serve.

use super::{StartError, could_not_start};
use crate::config::{self, Address, Config, Limits};
use crate::dead_letters::DeadLetters;
use crate::flow::{Side, Sink};
use crate::http::public::Public;
use crate::http::{Admission, InFlightBudget, OverloadDetector, Routes, Server, ServerSettings, Timeouts, Tls, Token};
use crate::ledger::{Hop, Ledger};
use crate::plugin::Slots;
use std::sync::Arc;
use std::time::Duration;

/// The token that callers of the public surface show.
pub(super) fn token(http: &config::Http) -> Result<Option<Token>, StartError> {
    http.token_file.as_deref().map(Token::of_file).transpose().map_err(StartError::Usage)
}

/// What makes the public surface HTTPS.
pub(super) fn tls(http: &config::Http) -> Result<Option<Tls>, StartError> {
    match (&http.tls_cert, &http.tls_key) {
        (Some(certificate), Some(key)) => Tls::load(certificate, key).map(Some).map_err(could_not_start),
        (None, None) => Ok(None),
        (Some(_), None) => Err(one_of_two("http.tls_cert", "http.tls_key, the file of its private key")),
        (None, Some(_)) => Err(one_of_two("http.tls_key", "http.tls_cert, the file of its certificate")),
    }
}

fn one_of_two(set: &str, missing: &str) -> StartError {
    StartError::Usage(format!("{set} is set without {missing}: set both for HTTPS, or neither for HTTP"))
}

/// The bounds of a listener, of one for strangers or of the host's own.
pub(super) fn settings(http: &config::Http, connections_max: usize, for_strangers: bool) -> ServerSettings {
    ServerSettings {
        connections_max,
        for_strangers,
        head_bytes_max: http.head_bytes_max,
        headers_max: http.headers_max,
        streams_max: http.streams_max,
        patience: Timeouts {
            handshake: Duration::from_millis(http.handshake_timeout_ms),
            head: Duration::from_millis(http.head_timeout_ms),
            answer: Duration::from_millis(http.answer_timeout_ms),
            idle: Duration::from_millis(http.idle_timeout_ms),
        },
    }
}

/// Says where a plugin may run more calls than there is room for at the public surface.
pub(super) fn warn_of_room(config: &Config, slots: &Slots) {
    let bytes_max = config.http.in_flight_bytes_max;
    for slot in slots.all().iter().filter(|_| config.http.address.0.is_some()) {
        let Limits { calls_max, output_bytes_max, .. } = config.limits_of(slot.name());
        let room = bytes_max / 3 * 2;
        if output_bytes_max.saturating_mul(calls_max) > room {
            tracing::warn!(
                "{} may run {calls_max} calls that return {output_bytes_max} bytes each, and two thirds of \
                 http.in_flight_bytes_max {bytes_max} has room for {}: the next are answered 503; raise it, or lower \
                 calls_max or output_bytes_max",
                slot.name(),
                room / output_bytes_max.max(1)
            );
        }
    }
}

/// Who is let into the public surface.
pub(super) fn admission(http: &config::Http, hop: &Arc<Hop>, token: Option<Token>) -> Admission {
    let delay_ms_max = Some(http.queue_delay_ms_max).filter(|delay_ms_max| *delay_ms_max > 0);
    let overload = OverloadDetector::new(delay_ms_max.map(Duration::from_millis));
    Admission::new(Arc::clone(hop), overload, http.requests_max, token)
}

/// Binds a surface, if it has an address.
pub(super) async fn bind(
    named: (&'static str, Side),
    address: Address,
    settings: ServerSettings,
    tls: Option<Tls>,
    hops: Vec<Arc<Hop>>,
) -> Result<Option<Arc<Server>>, StartError> {
    let Some(address) = address.0 else { return Ok(None) };
    Server::bind(named, address, settings, tls, hops).await.map(Some).map_err(could_not_start)
}

/// What the public surface serves.
pub(super) fn public(
    http: &config::Http,
    slots: &Arc<Slots>,
    sinks: Vec<Arc<dyn Sink>>,
    ledger: &Ledger,
    dead_letters: &DeadLetters,
) -> Routes {
    let public = Public {
        slots: Arc::clone(slots),
        sinks,
        transform_hop: ledger.hop("transform"),
        handler_hop: ledger.hop("handler"),
        dead_letters: dead_letters.clone(),
        body_bytes_max: http.body_bytes_max,
        body_timeout: Duration::from_millis(http.body_timeout_ms),
        in_flight: InFlightBudget::new("in_flight_bytes_max", http.in_flight_bytes_max),
        is_https: http.tls_cert.is_some(),
        has_token: http.token_file.is_some(),
        trusted_gateways: http.trusted_gateways.clone(),
    };
    public.routes()
}
