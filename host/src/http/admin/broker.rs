//! The broker on the admin surface: how it does, and pause, resume and drain.

use super::json;
use crate::http::problem::Problem;
use crate::messaging::BrokerControl;
use warp::reply::Response;

/// What a broker is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Pause,
    Resume,
    Drain,
}

impl Order {
    /// Of the last segment of its path.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "pause" => Some(Self::Pause),
            "resume" => Some(Self::Resume),
            "drain" => Some(Self::Drain),
            _ => None,
        }
    }
}

/// How the broker does, after it was told what to do if there is an order.
pub(super) fn answer(control: &BrokerControl, order: Option<Order>) -> Result<Response, Problem> {
    let told = match order {
        Some(Order::Pause) => control.pause(),
        Some(Order::Resume) => control.resume(),
        Some(Order::Drain) => control.drain(),
        None => Ok(()),
    };
    told.map_err(|cause| {
        tracing::error!(cause, "telling the broker");
        Problem::Host
    })?;
    json(&control.status())
}
