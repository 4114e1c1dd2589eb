//! Shadows: a newcomer is called on what a plugin or a flow is called on, once that has answered, and what it makes of it is
//! compared.
//!
//! It answers nobody and reaches nobody, and no more of it runs than the machine has to spare: a call waits in a bounded
//! queue, and is dropped and counted where that is full. What differs is made sure of: the call is made again of what serves,
//! with the same random numbers and clocks that tell the same, so that two readings of a clock are no difference.

mod apply;
mod asked;
mod beside_flow;
mod beside_plugin;
mod calling;
mod live;
mod promotion;
mod running;
mod shadows;
mod status;

pub use apply::Apply;
pub use asked::Asked;
pub use promotion::{PromoteError, Promoted};
pub use shadows::{Of, ShadowError, Shadows};
pub use status::{ShadowState, ShadowStatus};
