//! The broker on the admin surface: how it does, and pause, resume and drain.

use super::json;
use crate::config::FRONTEND;
use crate::flow::{Command, Surfaces};
use crate::http::problem::Problem;
use warp::reply::Response;

/// How the broker does, after it was given a command.
pub(super) fn answer(surfaces: &Surfaces, command: Option<Command>) -> Result<Response, Problem> {
    let surface = surfaces.all().into_iter().find(|surface| surface.name() == FRONTEND).ok_or(Problem::NoBroker)?;
    if let Some(command) = command {
        surface.command(command).map_err(|cause| {
            tracing::error!(cause, surface = surface.name(), "telling a surface what to do");
            Problem::Host
        })?;
    }
    json(&surface.status())
}
