//! The codes that the process ends with.

/// All ended well.
pub const SUCCESS: u8 = 0;
/// It could not start, or could not do what it was asked for; or, of a command that asks or tries something, the answer is no.
pub const FAILURE: u8 = 1;
/// The command line, a variable of the environment or the configuration makes no sense.
pub const USAGE: u8 = 2;
/// Something in flight was abandoned at the end of the grace period.
pub const ABANDONED: u8 = 3;
/// A part of the host died, and the host ended for that: whoever started it starts it again.
pub const PART_DIED: u8 = 4;
/// A host of a fleet could not be asked; nothing was changed for that.
pub const UNREACHABLE: u8 = 5;
/// A rolling change over the hosts of a fleet was stopped, and not all of them serve again what they did before.
pub const MIXED: u8 = 6;
/// A second SIGINT ended it at once, or one ended a start before it was ready or a rolling change between two hosts: 128 and the number of the signal, as shells have it.
pub const INTERRUPTED: u8 = 130;
/// A second SIGTERM ended it at once, or one ended a start before it was ready.
pub const TERMINATED: u8 = 143;
