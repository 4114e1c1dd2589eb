//! The HTTP side of a host: its two surfaces as configured, and what they serve.

mod routes;

pub(super) use routes::{RoutesInForce, table};

use super::builder::Builder;
use super::events;
use super::surfaces::Surfaces;
use super::{StartError, could_not_start};
use crate::config::{self, Config, Limits};
use crate::flow::Side;
use crate::http::admin::{Admin, AdminParts, Guard, LetterParts, Observed};
use crate::http::events::PATH;
use crate::http::public::Public;
use crate::http::route::RouteTable;
use crate::http::{
    Admission, CorsLookup, CorsPolicy, OverloadDetector, Server, ServerSettings, Timeouts, Tls, Token, Upgrades,
};
use crate::plugin::Slots;
use std::sync::Arc;
use std::time::Duration;

pub(super) const PUBLIC: &str = "http";
const TRANSFORM: &str = "transform";
const ADMIN: &str = "admin";

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

/// Binds the public surface, if it has an address, and has it serve the routes.
pub(super) async fn add_public(
    builder: &mut Builder,
    token: Option<Token>,
    tls: Option<Tls>,
) -> Result<(), StartError> {
    let [hop, transform_hop, handler_hop] = [PUBLIC, TRANSFORM, "handler"].map(|name| builder.ledger.hop(name));
    routes::make_hops(&builder.config.routes, &builder.ledger);
    let (of_all, ledger) = ([Arc::clone(&hop), transform_hop, Arc::clone(&handler_hop)], builder.ledger.clone());
    let hops = Box::new(move || of_all.iter().cloned().chain(routes::hops(&ledger)).collect());
    let address = builder.config.http.address.0;
    let settings = settings(&builder.config.http, builder.shares.http_max, true);
    let bind = async |address| Server::bind((PUBLIC, Side::Source), address, settings, tls, hops).await;
    let server = match address {
        Some(address) => Some(bind(address).await.map_err(could_not_start)?),
        None => None,
    };
    builder.surfaces.add(PUBLIC, server.clone());
    if let Some(server) = server {
        events::add_surface(builder, &server);
        builder.at_start(move |builder, _| {
            let routes = table(builder);
            warn_of_room(&builder.config, &builder.slots);
            let http = &builder.config.http;
            let public = Public {
                table: routes,
                events: builder.events.clone(),
                handler_hop,
                dead_letters: builder.dead_letters.clone(),
                body_bytes_max: http.body_bytes_max,
                body_timeout: Duration::from_millis(http.body_timeout_ms),
                in_flight: builder.in_flight.clone(),
                is_https: http.tls_cert.is_some(),
                has_token: http.token_file.is_some(),
                trusted_gateways: http.trusted_gateways.clone(),
            };
            let delay_ms_max = Some(http.queue_delay_ms_max).filter(|delay_ms_max| *delay_ms_max > 0);
            let overload = OverloadDetector::new(delay_ms_max.map(Duration::from_millis));
            let cors = cors(builder, &public.table);
            let admission = Admission::new(hop, overload, http.requests_max, token);
            let websockets = Arc::clone(&builder.websockets);
            let admission =
                admission.with_token_in_query(Arc::new(move |head| head.uri.path() == PATH || websockets.takes(head)));
            server.start(builder.middleware(public.routes(), Some(admission), Some(cors)), &builder.supervisor);
        });
    }
    Ok(())
}

/// Which pages of other origins may read what.
fn cors(builder: &Builder, routes: &Arc<RouteTable>) -> CorsLookup {
    let (config, routes) = (&builder.config, Arc::clone(routes));
    let events = CorsPolicy::of_events(&config.events, config.http.token_file.is_some()).map(Arc::new);
    Arc::new(move |path| if path == PATH { events.clone() } else { routes.cors(path) })
}

/// The URLs of the routes that something serves.
pub(super) fn urls(surfaces: &Surfaces, routes: &RouteTable) -> Vec<String> {
    let Some(public) = surfaces.all().into_iter().find(|surface| surface.name() == PUBLIC) else { return Vec::new() };
    let served = routes.names().into_iter().filter(|name| routes.is_served(name));
    served.map(|name| format!("{}/{name}/", public.endpoint())).collect()
}

/// Binds the admin surface, if it has an address and so a `guard`, and has it show and change everything.
pub(super) async fn add_admin(builder: &mut Builder, guard: Option<Guard>) -> Result<(), StartError> {
    let settings = settings(&builder.config.http, builder.shares.admin_max, false);
    let Some((address, guard)) = builder.config.admin.address.0.zip(guard) else {
        builder.surfaces.add(ADMIN, None::<Arc<Server>>);
        return Ok(());
    };
    let server = Server::bind((ADMIN, Side::Control), address, settings, None, Box::new(Vec::new)).await;
    let server = server.map_err(could_not_start)?;
    builder.surfaces.add(ADMIN, Some(Arc::clone(&server)));
    builder.at_start(move |builder, reconfigure| {
        // What was lost is sent again by them.
        let routes = table(builder);
        let admin = Admin::new(AdminParts {
            slots: Arc::clone(&builder.slots),
            guard,
            draining: Arc::clone(&builder.draining),
            checks: std::mem::take(&mut builder.checks),
            observed: Observed {
                ledger: builder.ledger.clone(),
                surfaces: builder.surfaces.registry(),
                others: std::mem::take(&mut builder.counts),
            },
            drain: Arc::clone(&builder.drain),
            letters: LetterParts {
                dead_letters: builder.dead_letters.clone(),
                routes,
                surfaces: builder.surfaces.registry(),
            },
            captures: builder.captures.clone(),
            shadows: builder.shadows.clone(),
            tail: (builder.taps.clone(), builder.config.admin.tail),
            reconfigure: Arc::clone(reconfigure),
            frontend_flow: builder.config.frontend_flow().map(|(name, flow)| (name.clone(), flow.through.clone())),
            ending: server.ending(),
        });
        let readiness = admin.readiness();
        builder.supervisor.task("readiness", async move {
            readiness.keep_looking().await;
            Ok(())
        });
        server.start(builder.middleware(admin.routes(), None, None), &builder.supervisor);
    });
    Ok(())
}

/// The bounds of a listener, of one for strangers or of the host's own.
fn settings(http: &config::Http, connections_max: usize, for_strangers: bool) -> ServerSettings {
    ServerSettings {
        connections_max,
        for_strangers,
        head_bytes_max: http.head_bytes_max,
        headers_max: http.headers_max,
        streams_max: http.streams_max,
        timeouts: Timeouts {
            handshake: Duration::from_millis(http.handshake_timeout_ms),
            head: Duration::from_millis(http.head_timeout_ms),
            answer: Duration::from_millis(http.answer_timeout_ms),
            idle: Duration::from_millis(http.idle_timeout_ms),
        },
    }
}

/// Says where a plugin may run more calls than there is room for at the public surface.
fn warn_of_room(config: &Config, slots: &Slots) {
    let bytes_max = config.http.in_flight_bytes_max;
    for slot in slots.all() {
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
