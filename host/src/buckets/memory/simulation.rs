//! Random operations under random bounds, compared with a model that looks at everything each time.

use super::entries::Entries;
use super::{Bounds, EXPIRED_PER_TURN};
use crate::buckets::operation::{BucketError, Operation, Performed, Reply};
use crate::config::BUCKET_ENTRY_BYTES;
use bytes::Bytes;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What is there, without any order of ends and without sums that are kept.
struct Model {
    bounds: Bounds,
    entries: BTreeMap<String, (Bytes, u64, Option<Instant>)>,
    writes: u64,
}

impl Model {
    fn bytes(&self) -> usize {
        self.entries.iter().map(|(key, (value, ..))| key.len() + value.len() + BUCKET_ENTRY_BYTES).sum()
    }

    fn forget_what_is_over(&mut self, now: Instant) {
        self.entries.retain(|_, (.., end)| end.is_none_or(|end| end > now));
    }

    fn write(&mut self, key: &str, value: Bytes, now: Instant) -> Result<(), BucketError> {
        let Bounds { keys_max, bytes_max, ttl } = self.bounds;
        let (before, is_new) = (self.bytes(), !self.entries.contains_key(key));
        if is_new && self.entries.len() >= keys_max {
            return Err(BucketError::Full { bound: "keys_max", max: keys_max });
        }
        let replaced = self.entries.get(key).cloned();
        self.entries.insert(key.to_owned(), (value, self.writes + 1, ttl.map(|ttl| now + ttl)));
        if self.bytes() > bytes_max && self.bytes() > before {
            match replaced {
                Some(replaced) => self.entries.insert(key.to_owned(), replaced),
                None => self.entries.remove(key),
            };
            return Err(BucketError::Full { bound: "bytes_max", max: bytes_max });
        }
        self.writes += 1;
        Ok(())
    }

    fn perform(&mut self, operation: &Operation, now: Instant) -> Performed {
        self.forget_what_is_over(now);
        let entry = |key: &String| self.entries.get(key).cloned();
        let versioned = |key: &String| match entry(key) {
            Some((value, version, _)) => Reply::Versioned { value: Some(value), version },
            None => Reply::Versioned { value: None, version: 0 },
        };
        match operation {
            Operation::Get { key } => Ok(Reply::Value(entry(key).map(|(value, ..)| value))),
            Operation::Exists { key } => Ok(Reply::Exists(entry(key).is_some())),
            Operation::Set { key, value } => self.write(key, value.clone(), now).map(|()| Reply::Done),
            Operation::Delete { key } => {
                self.entries.remove(key);
                Ok(Reply::Done)
            }
            Operation::ListKeys { .. } => {
                Ok(Reply::Keys { keys: self.entries.keys().cloned().collect(), cursor: None })
            }
            Operation::Increment { key, delta } => {
                let text = entry(key).map(|(value, ..)| String::from_utf8(value.to_vec()).unwrap());
                let Ok(number) = text.unwrap_or_else(|| "0".to_owned()).parse::<i64>() else {
                    return Err(BucketError::NoNumber(key.clone()));
                };
                let Some(sum) = number.checked_add(*delta) else { return Err(BucketError::Overflow(key.clone())) };
                self.write(key, sum.to_string().into(), now).map(|()| Reply::Number(sum))
            }
            Operation::Watch { key } => Ok(versioned(key)),
            Operation::Swap { key, version, value } => match versioned(key) {
                Reply::Versioned { version: found, .. } if found == *version => {
                    self.write(key, value.clone(), now).map(|()| Reply::Done)
                }
                changed => Ok(changed),
            },
        }
    }
}

struct World {
    random: ChaCha20Rng,
    /// Versions that were told, to be swapped by.
    versions: Vec<(String, u64)>,
}

impl World {
    fn below(&mut self, end: u64) -> u64 {
        self.random.next_u64() % end
    }

    fn bounds(&mut self) -> Bounds {
        let ttl = (self.below(4) > 0).then(|| Duration::from_millis(1 + self.below(50)));
        Bounds { keys_max: 1 + self.below(12) as usize, bytes_max: 300 + self.below(4_000) as usize, ttl }
    }

    fn operation(&mut self) -> Operation {
        let key = format!("k{}", self.below(16));
        let value = match self.below(3) {
            0 => Bytes::from(self.below(100).to_string()),
            1 => Bytes::from(i64::MAX.to_string()),
            _ => Bytes::from(vec![b'x'; self.below(400) as usize]),
        };
        match self.below(12) {
            0 | 1 => Operation::Get { key },
            2..=4 => Operation::Set { key, value },
            5 => Operation::Delete { key },
            6 => Operation::Exists { key },
            7 => Operation::ListKeys { cursor: None },
            8 => Operation::Increment { key, delta: self.below(5) as i64 - 2 },
            9 => Operation::Watch { key },
            _ => match self.versions.pop() {
                Some((key, version)) => Operation::Swap { key, version, value },
                None => Operation::Swap { key, version: 0, value },
            },
        }
    }
}

#[test]
fn a_bucket_does_in_any_order_what_the_model_does() {
    let seed = std::env::var("TIDEGATE_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok());
    let steps: u64 = std::env::var("TIDEGATE_SIMULATION_STEPS").ok().and_then(|n| n.parse().ok()).unwrap_or(60_000);
    let seeds = seed.map_or_else(|| (0..steps / 1_000).collect(), |seed| vec![seed]);
    for seed in seeds {
        let mut world = World { random: ChaCha20Rng::seed_from_u64(seed), versions: Vec::new() };
        let bounds = world.bounds();
        let mut entries = Entries::new(bounds);
        let mut model = Model { bounds, entries: BTreeMap::new(), writes: 0 };
        let mut now = Instant::now();
        for step in 0..1_000 {
            now += Duration::from_millis(world.below(6));
            if world.below(100) == 0 {
                model.bounds = world.bounds();
                entries.configure(model.bounds);
            }
            let operation = world.operation();
            let performed = loop {
                match entries.perform(&operation, now) {
                    Err(BucketError::Full { .. }) if entries.expire(now, EXPIRED_PER_TURN) > 0 => {}
                    performed => break performed,
                }
            };
            assert_eq!(performed, model.perform(&operation, now), "seed {seed}, step {step}: {operation:?}");
            if let (Ok(Reply::Versioned { version, .. }), Some(key)) = (&performed, operation.key()) {
                world.versions.push((key.to_owned(), *version));
            }
            entries.check();
            entries.expire(now, EXPIRED_PER_TURN);
            let figures = entries.figures();
            assert_eq!(
                (figures.keys, figures.bytes),
                (model.entries.len() as u64, model.bytes() as u64),
                "seed {seed}"
            );
        }
    }
}
