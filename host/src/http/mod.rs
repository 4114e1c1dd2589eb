//! The HTTP surfaces: the only folder that names warp.
//!
//! [`public`] serves the plugins, [`admin`] says whether the host lives and is ready; both run on [`Server`].

pub mod admin;
mod problem;
pub mod public;
mod query;
mod server;

pub use server::{Server, Settings};
