//! Buckets: what plugins keep between their calls, in the host's hands. Nothing here knows what a plugin is, or runs in.
//!
//! Whatever is done with a bucket is an [`Operation`], which a [`Bucket`] performs and gives a [`Reply`] to: so there is one thing
//! to implement for each backend ([`Memory`] is the one that needs nothing), one thing to write down of a call ([`BucketLog`]), and
//! one thing that stands in for a bucket where a call serves nobody ([`Scratch`]). [`PluginBuckets`] are those of one plugin.

mod backends;
mod bucket;
mod call_log;
mod memory;
mod operation;
mod plugin_buckets;
mod scratch;

pub use backends::Backends;
pub use bucket::{Bucket, BucketFigures};
pub use call_log::{BucketLog, BucketUse, CallBuckets, SharedLog};
pub use memory::Memory;
pub(crate) use operation::incremented;
pub use operation::{BucketError, Operation, OperationKind, Performed, Reply};
pub use plugin_buckets::{BucketStatus, PluginBuckets};
pub use scratch::Scratch;
