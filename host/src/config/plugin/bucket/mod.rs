//! `[plugins.NAME.buckets]`: what a plugin may keep between its calls, and how much of it.

mod bounds;

pub use bounds::*;

use crate::config::Config;
use crate::config::document::Mistake;
use crate::config::limits::{milliseconds, number, size};
use serde::{Deserialize, Serialize};

/// `[plugins.NAME.buckets.BUCKET]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bucket {
    /// Where its keys are kept.
    pub backend: BucketBackend,
    /// Keys at the same time; a write of one more is refused.
    #[serde(deserialize_with = "number::<_, _, 1, 100_000_000>")]
    pub keys_max: usize,
    /// All keys and values, each with 256 bytes for what the host has of it beside; a number, or a text such as `"64MiB"`. A write
    /// over it is refused.
    #[serde(deserialize_with = "size::<_, _, 4_096, 1_099_511_627_776>")]
    pub bytes_max: usize,
    /// How long a value stays that is not written again; 0 for as long as the bucket is there.
    #[serde(deserialize_with = "milliseconds::<_, _, 0, 31_536_000_000>")]
    pub ttl_ms: u64,
}

/// Where the keys of a bucket are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketBackend {
    /// In the host's memory: they end with it.
    #[default]
    Memory,
    /// In JetStream, where all hosts with the same [nats] share them: they outlive the hosts.
    Nats,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { backend: BucketBackend::default(), keys_max: 100_000, bytes_max: 64 << 20, ttl_ms: 0 }
    }
}

/// Whether buckets are named so that they can be told apart in metrics, and not too many.
///
/// # Errors
/// The first mistake.
pub(in crate::config) fn check(config: &Config) -> Result<(), Mistake> {
    for (plugin, section) in &config.plugins {
        let mistake = |what| Err(Mistake::of("plugins", plugin, what).at("buckets"));
        if config.nats.is_none() && section.buckets.values().any(|bucket| bucket.backend == BucketBackend::Nats) {
            return mistake(
                "a bucket is in nats, and there is no [nats]: add it with the `url` of a server".to_owned(),
            );
        }
        if section.buckets.len() > BUCKETS_MAX {
            return mistake(format!("{} buckets are more than {BUCKETS_MAX}", section.buckets.len()));
        }
        let is_name = |name: &&String| crate::config::is_name(name) && name.len() <= BUCKET_NAME_BYTES_MAX;
        if let Some(name) = section.buckets.keys().find(|name| !is_name(name)) {
            return mistake(format!(
                "bucket name `{}` does not match [a-z0-9][a-z0-9_-]*, of at most {BUCKET_NAME_BYTES_MAX} bytes: rename it",
                name.escape_debug()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read_and_printed() {
        let text = "[plugins.a.buckets]\nseen = { keys_max = 7, bytes_max = '64MiB', ttl_ms = '10m', backend = 'memory' }\n\
                    n = { bytes_max = 5_000 }";
        let (config, document) = Config::parse(text.to_owned()).unwrap();
        config.check(&document).unwrap();
        let buckets = config.buckets_of("a");
        let seen = Bucket { backend: BucketBackend::Memory, keys_max: 7, bytes_max: 64 << 20, ttl_ms: 600_000 };
        assert_eq!((&buckets["seen"], buckets["n"].bytes_max), (&seen, 5_000));
        assert_eq!(Config::parse(config.to_toml().unwrap()).unwrap().0.plugins, config.plugins);
        assert!(config.buckets_of("b").is_empty());
    }

    #[test]
    fn what_makes_no_bucket_is_named_with_its_line_and_a_remedy() {
        for (text, named) in [
            ("seen = { backend = 'redis' }", ["line 2", "expected `memory` or `nats`"]),
            ("seen = { keys_max = 0 }", ["line 2", "0 is not between 1 and"]),
            ("seen = { bytes_max = '1KiB' }", ["line 2", "1024 is not between 4096 and"]),
            ("seen = { bytes_max = '64MB or so' }", ["line 2", "such as 64MiB"]),
            ("seen = { backend = 'nats' }", ["line", "there is no [nats]"]),
            ("seen = { ttl = 1 }", ["line 2", "unknown field"]),
            ("seen = 3", ["line 2", "invalid type"]),
            ("'A b' = {}", ["line", "bucket name `A b`"]),
        ] {
            let read = Config::parse(format!("[plugins.a.buckets]\n{text}"));
            let error = read.and_then(|(config, document)| config.check(&document)).unwrap_err();
            for word in named {
                assert!(error.contains(word), "{word:?} is not in: {error}");
            }
        }
        let many: String = (0..=BUCKETS_MAX).map(|number| format!("b{number} = {{}}\n")).collect();
        let (config, document) = Config::parse(format!("[plugins.a.buckets]\n{many}")).unwrap();
        assert!(config.check(&document).unwrap_err().contains("17 buckets are more than 16"));
    }
}
