//! What is fixed of the names that sockets connect to: the bounds and paces that no configuration changes.

/// Addresses of a name that a socket connects to; of more the log tells, and `tidegate_socket_name_addresses` has those.
pub const NAME_ADDRESSES_MAX: usize = 256;
/// Lines of the log a minute about addresses that the names of a socket have got, and as many about those that left; the next
/// line says how many were not written.
pub const NAME_ADDRESS_LINES_MAX: u64 = 20;
/// Names that are looked up at the same time: the system may take half a minute for one that nobody answers for.
pub const NAME_LOOK_UPS_MAX: usize = 32;
/// Sockets that wait for the answer about one name.
pub const NAME_LOOK_UP_WAITERS_MAX: usize = 10_000;
/// How often `tidegate subscribe`, `request` and `worker` look the names at `dns+tcp://` endpoints up.
pub const NAME_LOOK_UP_MS: u64 = 5_000;
/// For how long nothing has come from an address that left its name, before a socket that reads lets go of it.
pub const LEFT_ADDRESS_SILENCE_MS: u64 = 2_000;
/// After this time a SUB lets go of it even if it goes on publishing, and so do the clients.
pub const LEFT_ADDRESS_MS_MAX: u64 = 30_000;
/// For what is queued to an address that left its name, and that nothing more is sent to, to go out; the rest is lost.
pub const LEFT_ADDRESS_LINGER_MS: u64 = 5_000;
