//! The HTTP surfaces: the only folder that names warp.
//!
//! [`public`] serves the plugins, [`admin`] shows and changes them and says whether the host is ready; both run on
//! [`Server`].

pub mod admin;
mod answer;
mod coding;
pub mod events;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod page;
mod problem;
pub mod public;
mod query;
pub mod route;
mod server;
mod sockets;
mod websocket;

pub use server::body::InFlightBudget;
pub use server::connection_timeouts::Timeouts;
pub(crate) use server::middleware::Upgrades;
pub use server::middleware::{Admission, CorsLookup, CorsPolicy, Middleware, Routes};
pub use server::overload::OverloadDetector;
pub use server::tls::Tls;
pub use server::token::{Token, read_token};
pub use server::{Server, ServerSettings};
pub use sockets::{ZwsHops, ZwsSettings, ZwsSocket};
pub use websocket::{IncomingBounds, Origins, WebSockets};
