//! The buckets that a call has opened, as that call meets them.

use super::super::Guest;
use super::wasi::keyvalue::store::Error;
use crate::buckets::{
    Bucket, BucketError, BucketUse, CallBuckets, Operation, Performed, PluginBuckets, Reply, Scratch, SharedLog,
};
use crate::plugin::call::CallNumber;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The buckets that a call has opened.
#[derive(Default)]
pub(in super::super) struct OpenBuckets(BTreeMap<Arc<str>, OpenBucket>);

/// A bucket as one call meets it.
#[derive(Clone)]
pub(super) struct OpenBucket {
    pub(super) name: Arc<str>,
    bucket: Arc<dyn Bucket>,
    log: Option<SharedLog>,
}

impl OpenBucket {
    /// # Errors
    /// When the bucket refuses it, or cannot be reached.
    pub(super) async fn perform(&self, operation: Operation) -> Result<Reply, Error> {
        let performed = match operation.check() {
            Ok(()) => match &self.log {
                None => self.bucket.perform(operation).await,
                Some(log) => {
                    let performed = self.bucket.perform(operation.clone()).await;
                    log.add(BucketUse::of(&self.name, &operation, &performed));
                    performed
                }
            },
            Err(error) => Err(error),
        };
        self.told(performed)
    }

    fn told(&self, performed: Performed) -> Result<Reply, Error> {
        performed.map_err(|error| self.error(&error))
    }

    /// As the guest is told of it.
    pub(super) fn error(&self, error: &BucketError) -> Error {
        Error::Other(format!("bucket {} {error}", self.name))
    }
}

impl OpenBuckets {
    pub(in super::super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Guest {
    /// The bucket of this name, as this call meets it: a call for messages as it is; and one that serves nobody, with what it
    /// writes kept from all others.
    ///
    /// # Errors
    /// When it is not granted.
    pub(super) fn bucket(&mut self, name: &str) -> Result<OpenBucket, Error> {
        if let Some(open) = self.buckets.0.get(name) {
            return Ok(open.clone());
        }
        let granted: &PluginBuckets = &self.plugin_state.buckets;
        if !granted.has(name) {
            self.plugin_state.denied.buckets.fetch_add(1, Ordering::Relaxed);
            return Err(Error::NoSuchStore);
        }
        let live = || granted.get(name).map(Arc::clone);
        let (bucket, log): (Arc<dyn Bucket>, _) = match (&self.call_seed.buckets, self.call_seed.number) {
            (CallBuckets::Again(log), _) => (Arc::new(Scratch::again(name, Arc::clone(log))), None),
            _ if self.plugin_state.is_offline() => (Arc::new(Scratch::empty()), None),
            (_, CallNumber::Load(_)) => (Arc::new(Scratch::empty()), None),
            (_, CallNumber::Trial(_)) => (Arc::new(live().map_or_else(Scratch::empty, Scratch::above)), None),
            (buckets, CallNumber::Message(_)) => match (live(), buckets) {
                (Some(bucket), CallBuckets::Logged(log)) => (bucket, Some(log.clone())),
                (Some(bucket), _) => (bucket, None),
                (None, _) => (Arc::new(Scratch::empty()), None),
            },
        };
        let name: Arc<str> = name.into();
        let open = OpenBucket { name: Arc::clone(&name), bucket, log };
        self.buckets.0.insert(name, open.clone());
        Ok(open)
    }
}
