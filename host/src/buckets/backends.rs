//! The backends that buckets of a host can have.

use super::bucket::Bucket;
use super::memory::Memory;
use crate::config;
use std::sync::Arc;

/// Opens buckets. A backend that needs a connection has it handed in here; without one, where components are only tried,
/// every bucket is in memory.
#[derive(Clone, Default)]
pub struct Backends {
    nats: Option<Arc<OpenBucket>>,
}

/// Opens the bucket of a plugin by both their names.
type OpenBucket = dyn Fn(&str, &str, &config::Bucket) -> Arc<dyn Bucket> + Send + Sync;

impl Backends {
    /// With buckets in NATS, which this opens.
    pub fn with_nats(open: impl Fn(&str, &str, &config::Bucket) -> Arc<dyn Bucket> + Send + Sync + 'static) -> Self {
        Self { nats: Some(Arc::new(open)) }
    }

    /// The bucket of this name that a plugin was granted. It may still have to connect: whoever uses it waits for that.
    pub fn open(&self, plugin: &str, name: &str, granted: &config::Bucket) -> Arc<dyn Bucket> {
        match (granted.backend, &self.nats) {
            (config::BucketBackend::Nats, Some(open)) => open(plugin, name, granted),
            (config::BucketBackend::Nats, None) | (config::BucketBackend::Memory, _) => Arc::new(Memory::new(granted)),
        }
    }
}
