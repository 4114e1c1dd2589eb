//! The HTTP surfaces: the only folder that names warp.
//!
//! [`public`] serves the plugins, [`admin`] shows and changes them and says whether the host is ready; both run on
//! [`Server`].

pub mod admin;
mod answer;
mod answer_body;
mod body;
mod connection;
mod entrance;
mod figures;
mod framing;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod head;
mod problem;
pub mod public;
mod pulse;
mod query;
mod refusals;
mod request_body;
mod server;
mod shed;
mod socket;
mod tls;
mod token;
mod trace;

pub use body::InFlightBudget;
pub use entrance::{Entrance, Gate, Routes};
pub use figures::{CutOff, Figures};
pub use pulse::Patience;
pub use server::{Server, Settings};
pub use shed::Shed;
pub use tls::Tls;
pub use token::{Token, read_token};
