//! The flow of the frontend: what answers the broker's clients in place of a reply policy.

use super::names;
use crate::config::document::Mistake;
use crate::config::streams::flow::in_flight_bytes_max;
use crate::config::streams::{Flow, OnError, Order};
use crate::config::{Config, FRONTEND, is_jetstream};

const TABLE: &str = "flows";

/// Whether it makes sense, and is the only one.
pub(super) fn check(config: &Config, name: &str, flow: &Flow) -> Result<(), Mistake> {
    let mistake = |what: String| Mistake::of(TABLE, name, what);
    let refuse = |key, what: &str| Err(mistake(what.to_owned()).at(key));
    if flow.from != [FRONTEND] {
        return refuse("from", "`frontend` is read alone: give the other sockets a flow of their own");
    }
    if config.messaging.frontend.0.is_none() {
        return refuse("from", "messaging.frontend is none, so there is no `frontend`: give it an endpoint");
    }
    if let Some(policy) = &config.messaging.policy {
        let what = format!("messaging.policy `{policy}` answers the frontend already: leave out one of the two");
        return refuse("from", &what);
    }
    if let Some((other, _)) =
        config.flows.iter().take_while(|(other, _)| *other != name).find(|(_, flow)| flow.is_of_frontend())
    {
        return refuse("from", &format!("flows.{other} answers the frontend already: leave out one of the two"));
    }
    if let Some(index) = flow.to.iter().position(|place| !is_jetstream(place)) {
        let what = "what comes out goes to the client that asked, once it is stored where that is said: name \
                    jetstream:SUBJECT, or leave it out";
        return Err(mistake(what.to_owned()).at("to").entry(index));
    }
    names::check_sinks(config, &flow.to, mistake)?;
    if flow.through.is_empty() && flow.to.is_empty() {
        return refuse("through", "it is empty: name the plugins and pools that answer");
    }
    names::check_through(config, &flow.through, mistake)?;
    // A client of the broker matches replies by itself, and what fails has nowhere else to go.
    if flow.order != Order::default() {
        return refuse("order", "replies leave as soon as they are there: leave it out");
    }
    if flow.on_error != OnError::default() {
        return refuse("on_error", "a request that fails becomes a dead letter: leave it out");
    }
    if flow.in_flight_bytes_max != in_flight_bytes_max() {
        return refuse(
            "in_flight_bytes_max",
            "the requests and replies of the frontend have the bounds of [messaging]: set queue_bytes_max there",
        );
    }
    Ok(())
}
