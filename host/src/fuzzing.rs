//! What of the host the fuzz targets in `tests/fuzz` need beside its public items: one function for each, which panics
//! where an input breaks what we promise.

pub use crate::backbone::fuzzing::nats;
pub use crate::clients::fuzzing::line;
pub use crate::config::fuzzing::config;
pub use crate::http::fuzzing::{query, zws};
pub use crate::messaging::fuzzing::frames;
pub use crate::messaging::workers::answer;
pub use crate::plugin::fuzzing::{Loader, cache};
pub use crate::plugin::reset_fuzzing::reset;
