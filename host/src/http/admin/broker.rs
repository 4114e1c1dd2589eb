//! The broker on the admin surface: how it does, and pause, resume and drain.

use super::json;
use crate::flow::{Command, Surface};
use crate::http::problem::Problem;
use warp::reply::Response;

/// The name of the surface that is told of as the broker.
pub(super) const FRONTEND: &str = "frontend";

/// How a surface does, after it was told what to do if there is a command.
pub(super) fn answer(surface: &dyn Surface, command: Option<Command>) -> Result<Response, Problem> {
    if let Some(command) = command {
        surface.command(command).map_err(|cause| {
            tracing::error!(cause, surface = surface.name(), "telling a surface what to do");
            Problem::Host
        })?;
    }
    json(&surface.status())
}
