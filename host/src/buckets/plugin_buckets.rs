//! The buckets of one plugin: those that the configuration grants it, whatever generation of it serves.

use super::backends::Backends;
use super::bucket::{Bucket, BucketFigures};
use crate::config;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Buckets by name. Those of another plugin are others, also where they are called the same.
#[derive(Clone, Default)]
pub struct PluginBuckets {
    by_name: BTreeMap<String, Granted>,
    /// Whether every other name is granted too: to a component that is tried where nothing is configured.
    is_open: bool,
}

/// What is granted: its bounds, and the bucket itself; none where nobody is served, so that nothing is kept.
#[derive(Clone)]
struct Granted {
    config: config::Bucket,
    bucket: Option<Arc<dyn Bucket>>,
}

/// What is told of one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BucketStatus {
    /// Where its keys are kept.
    pub backend: config::BucketBackend,
    /// The most keys at the same time.
    pub keys_max: usize,
    /// The most bytes of keys and values.
    pub bytes_max: usize,
    /// How long a value stays that is not written again, in milliseconds; 0 for as long as there is room.
    pub ttl_ms: u64,
    /// Keys at present.
    pub keys: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Writes that were refused because it was full.
    pub refused: u64,
    /// Keys whose time was over.
    pub expired: u64,
}

impl PluginBuckets {
    /// Those of a plugin that serves.
    pub fn open(plugin: &str, granted: &BTreeMap<String, config::Bucket>, backends: &Backends) -> Self {
        Self::default().configured(plugin, granted, backends)
    }

    /// Of a plugin that serves nobody: these names.
    pub fn of_nobody(granted: &BTreeMap<String, config::Bucket>) -> Self {
        let by_name =
            granted.iter().map(|(name, config)| (name.clone(), Granted { config: config.clone(), bucket: None }));
        Self { by_name: by_name.collect(), is_open: false }
    }

    /// Of a component that is tried where nothing is configured: every name.
    pub fn of_any_name() -> Self {
        Self { is_open: true, ..Self::default() }
    }

    /// One that serves, whatever it is.
    #[cfg(test)]
    pub(crate) fn of_bucket(name: &str, bucket: Arc<dyn Bucket>) -> Self {
        let granted = Granted { config: config::Bucket::default(), bucket: Some(bucket) };
        Self { by_name: BTreeMap::from([(name.to_owned(), granted)]), is_open: false }
    }

    /// Those that are granted now. A bucket that was granted before has kept what is in it, under the bounds that it has now;
    /// one that is not granted any more has nothing in it.
    pub fn configured(&self, plugin: &str, granted: &BTreeMap<String, config::Bucket>, backends: &Backends) -> Self {
        for (name, before) in &self.by_name {
            let is_kept = granted.get(name).is_some_and(|config| config.backend == before.config.backend);
            if let Some(bucket) = before.bucket.as_ref().filter(|_| !is_kept) {
                bucket.forget();
            }
        }
        let by_name = granted.iter().map(|(name, config)| {
            let before = self.by_name.get(name).filter(|before| before.config.backend == config.backend);
            let bucket = match before.and_then(|before| before.bucket.clone()) {
                Some(bucket) => {
                    bucket.configure(config);
                    bucket
                }
                None => backends.open(plugin, name, config),
            };
            (name.clone(), Granted { config: config.clone(), bucket: Some(bucket) })
        });
        Self { by_name: by_name.collect(), is_open: false }
    }

    /// Whether there is any bucket that could be opened.
    pub fn has_any(&self) -> bool {
        self.is_open || !self.by_name.is_empty()
    }

    /// Whether the bucket of this name is granted.
    pub fn has(&self, name: &str) -> bool {
        self.is_open || self.by_name.contains_key(name)
    }

    /// The bucket of this name; none if it is not granted, or serves nobody.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Bucket>> {
        self.by_name.get(name)?.bucket.as_ref()
    }

    /// What is told of each.
    pub fn status(&self) -> BTreeMap<String, BucketStatus> {
        let status = |Granted { config, bucket }: &Granted| {
            let figures = bucket.as_ref().map_or_else(BucketFigures::default, |bucket| bucket.figures());
            let BucketFigures { keys, bytes, refused, expired } = figures;
            let &config::Bucket { backend, keys_max, bytes_max, ttl_ms } = config;
            BucketStatus { backend, keys_max, bytes_max, ttl_ms, keys, bytes, refused, expired }
        };
        self.by_name.iter().map(|(name, granted)| (name.clone(), status(granted))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buckets::{Operation, Performed, Reply};
    use futures_util::FutureExt;

    fn granted(text: &str) -> BTreeMap<String, config::Bucket> {
        let text = format!("[plugins.p.buckets]\n{text}");
        config::Config::parse(text).unwrap_or_else(|error| panic!("{error}")).0.buckets_of("p")
    }

    fn set(bucket: &dyn Bucket, key: &str) -> Performed {
        let set = Operation::Set { key: key.to_owned(), value: "v".into() };
        bucket.perform(set).now_or_never().expect("it is in memory")
    }

    #[test]
    fn a_bucket_outlives_another_configuration_as_long_as_it_is_granted() {
        let backends = Backends::default();
        let before = PluginBuckets::open("p", &granted("a = { keys_max = 2 }\nb = {}"), &backends);
        set(&**before.get("a").unwrap(), "1").unwrap();
        set(&**before.get("b").unwrap(), "1").unwrap();
        let now = before.configured("p", &granted("a = { keys_max = 1 }\nc = {}"), &backends);
        let keys: BTreeMap<_, _> = now.status().into_iter().map(|(name, status)| (name, status.keys)).collect();
        assert_eq!(keys, BTreeMap::from([("a".to_owned(), 1), ("c".to_owned(), 0)]));
        assert!(set(&**now.get("a").unwrap(), "2").is_err_and(|error| error.to_string().contains("keys_max 1")));
        assert_eq!(now.status()["a"].refused, 1);
        assert!(now.get("b").is_none() && !now.has("b"));
        assert_eq!(before.status()["b"].keys, 0, "an earlier generation holds no memory of it");
        let other = PluginBuckets::open("q", &granted("a = {}"), &backends);
        let read = other.get("a").unwrap().perform(Operation::Get { key: "1".to_owned() });
        assert_eq!(read.now_or_never(), Some(Ok(Reply::Value(None))), "each plugin has its own");
    }

    #[test]
    fn who_serves_nobody_has_names_and_no_bucket() {
        let buckets = PluginBuckets::of_nobody(&granted("a = {}"));
        assert!(buckets.has("a") && buckets.get("a").is_none() && !buckets.has("b"));
        assert!(PluginBuckets::of_any_name().has("b") && !PluginBuckets::of_nobody(&BTreeMap::new()).has_any());
    }
}
