//! The admin surface: whether the host lives, and whether it is ready for traffic.

use crate::plugin::Slots;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reply::Response;

use super::problem::Problem;

/// The routes, for a [`super::Server`]. `draining` is set when the host begins to end.
pub fn routes(slots: Arc<Slots>, draining: Arc<AtomicBool>) -> BoxedFilter<(Response,)> {
    let get = || warp::get().or(warp::head()).unify();
    let live = warp::path!("livez").and(get()).map(|| text(StatusCode::OK, "live\n"));
    let ready = warp::path!("readyz").and(get()).map(move || readiness(&slots, draining.load(Ordering::Relaxed)));
    let wrong_method =
        warp::path!("livez").or(warp::path!("readyz")).unify().map(|| Problem::Method("GET, HEAD").into_response());
    let elsewhere = warp::any().map(|| Problem::NoRoute.into_response());
    live.or(ready).unify().or(wrong_method).unify().or(elsewhere).unify().boxed()
}

/// 200 once every slot serves; else 503 with one line per reason.
fn readiness(slots: &Slots, draining: bool) -> Response {
    let mut reasons = String::new();
    if draining {
        reasons += "draining\n";
    }
    for slot in slots.all().iter().filter(|slot| slot.roles().is_none()) {
        reasons += &format!("plugin {} is not loaded\n", slot.name());
    }
    if reasons.is_empty() { text(StatusCode::OK, "ready\n") } else { text(StatusCode::SERVICE_UNAVAILABLE, &reasons) }
}

fn text(status: StatusCode, body: &str) -> Response {
    let reply = warp::reply::with_status(body.to_owned(), status);
    warp::reply::Reply::into_response(reply)
}
