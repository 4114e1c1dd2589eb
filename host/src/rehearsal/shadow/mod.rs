//! Shadows: a newcomer is called on what a plugin is called on, once that has answered, and what it makes of it is compared.
//!
//! It answers nobody and reaches nobody, and no more of it runs than the machine has to spare: a call waits in a bounded
//! queue, and is dropped and counted where that is full. What differs is made sure of: the call is made again of what serves,
//! with the same random numbers and clocks that tell the same, so that two readings of a clock are no difference.

mod asked;
mod calling;
mod running;
mod shadows;
mod status;

pub use asked::Asked;
pub use shadows::{PromoteError, Promoted, ShadowError, Shadows};
pub use status::{ShadowState, ShadowStatus};
