//! The broker on the admin surface: how it does, and pause, resume and drain.

use super::json;
use crate::flow::{Command, Surface};
use crate::http::problem::Problem;
use std::sync::Arc;
use warp::reply::Response;

/// How the surface does that takes commands, after it was given one.
pub(super) fn answer(surfaces: &[Arc<dyn Surface>], command: Option<Command>) -> Result<Response, Problem> {
    let surface = surfaces.iter().find(|surface| surface.status().is_some()).ok_or(Problem::NoBroker)?;
    if let Some(command) = command {
        surface.command(command).map_err(|cause| {
            tracing::error!(cause, surface = surface.name(), "telling a surface what to do");
            Problem::Host
        })?;
    }
    json(&surface.status())
}
