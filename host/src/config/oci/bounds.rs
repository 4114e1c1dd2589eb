//! The bounds of what is asked of registries.

/// For a connection to a registry to come about.
pub const REGISTRY_CONNECT_MS: u64 = 5_000;
/// The longest silence of a registry within an answer.
pub const REGISTRY_SILENCE_MS: u64 = 15_000;
/// For a registry to tell what a reference stands for, the token included.
pub const REGISTRY_RESOLVE_MS: u64 = 30_000;
/// For a component to come from a registry, or to get there.
pub const REGISTRY_TRANSFER_MS: u64 = 600_000;
/// Manifests of one registry that are waited for at the same time, and components: each of these may be held in memory.
pub const REGISTRY_TRANSFERS_MAX: usize = 4;
/// The longest pause between two looks at a tag that the registry does not let us see: each is twice as long as the last.
pub const REGISTRY_DENIED_PAUSE_MS_MAX: u64 = 600_000;
/// For a credential helper to say what it knows.
pub const CREDENTIAL_HELPER_MS: u64 = 10_000;
/// What a token server may answer.
pub const REGISTRY_TOKEN_BYTES_MAX: usize = 1 << 20;
