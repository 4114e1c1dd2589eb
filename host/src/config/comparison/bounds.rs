//! The bounds of comparisons, of shadows and of gates.

/// Groups of differences that a comparison of two components keeps; of more those are kept that weigh most.
pub const COMPARE_GROUPS_MAX: usize = 200;
/// Groups that one input may be counted in.
pub const COMPARE_GROUPS_PER_INPUT_MAX: usize = 100;
/// Inputs of each group that are kept as its examples: the first ones.
pub const COMPARE_EXAMPLES_MAX: usize = 3;
/// How much of each side of a difference is shown.
pub const COMPARE_EXCERPT_BYTES_MAX: usize = 200;
/// An input that is kept with an example.
pub const COMPARE_INPUT_BYTES_MAX: usize = 16 << 10;
/// A JSON path, or a key of metadata, by which a group is named.
pub const COMPARE_NAME_BYTES_MAX: usize = 256;
/// A frame that is read as JSON to see where it differs.
pub const COMPARE_JSON_BYTES_MAX: usize = 4 << 20;
/// Inputs that are handed to a thread that compares, at once.
pub const COMPARE_BATCH_INPUTS: usize = 256;
/// The same in bytes; a larger input goes alone.
pub const COMPARE_BATCH_BYTES: usize = 1 << 20;
/// Inputs of each such thread that are tried again when all others are done, since the machine may have been too busy.
pub const COMPARE_AGAIN_MAX: usize = 100;
/// The same in bytes.
pub const COMPARE_AGAIN_BYTES_MAX: usize = 16 << 20;
/// Calls that wait to be made by a shadow; more are not made.
pub const SHADOW_QUEUE_CALLS_MAX: usize = 1_024;
/// The same in bytes, with what came of them.
pub const SHADOW_QUEUE_BYTES_MAX: usize = 32 << 20;
/// How long a shadow rests once it has made all calls there were, so that traffic need not wake it for each.
pub const SHADOW_REST_MS: u64 = 5;
/// Calls of a shadow that have to be compared before it may serve, unless another number is asked for.
pub const SHADOW_CALLS_MIN: u64 = 1_000;
/// Shadows at the same time, each beside another plugin or flow.
pub const SHADOWS_MAX: usize = 8;
/// Groups of differences that an overview shows of each shadow: those that weigh most, each with its first example.
pub const ADMIN_SHADOW_GROUPS_MAX: usize = 20;
/// Plugins and flows whose shadows are shown, with those that have ended.
pub const SHADOWS_LISTED_MAX: usize = 64;
/// Newcomers that are compared at their gates at the same time; more wait for their turn, which is no part of their time.
pub const GATES_AT_ONCE_MAX: usize = 2;
