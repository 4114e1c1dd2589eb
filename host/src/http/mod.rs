//! The HTTP surfaces: the only folder that names warp.
//!
//! [`public`] serves the plugins, [`admin`] shows and changes them and says whether the host is ready; both run on
//! [`Server`].

pub mod admin;
mod answer;
mod body;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod problem;
pub mod public;
mod query;
mod server;

pub use server::{Server, Settings};
