//! The host's ledger, while it runs and at its exit, as numbers.

use crate::balance::{assert_balanced, assert_even, at_exit};
use crate::harness::Client;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The counts of a hop or a plugin.
#[derive(Debug, Deserialize)]
pub struct Figures {
    #[serde(rename = "in")]
    pub entered: u64,
    pub out: u64,
    dropped: BTreeMap<String, u64>,
}

impl Figures {
    pub fn dropped(&self, reason: &str) -> u64 {
        self.dropped.get(reason).copied().unwrap_or(0)
    }
}

/// The counts of all hops and all plugins.
#[derive(Debug, Deserialize)]
pub struct Ledger {
    hops: BTreeMap<String, Figures>,
    plugins: BTreeMap<String, Figures>,
}

impl Ledger {
    /// The ledger at this moment, from the admin surface; it must add up.
    #[track_caller]
    pub fn read(admin: &Client) -> Self {
        let answer = admin.request("GET", "/ledger", None).expect("the admin surface answers");
        assert_even(&answer.json());
        serde_json::from_value(answer.json()).expect("a ledger")
    }

    /// The ledger at the end of a host's stderr; it must add up, with nothing in flight.
    #[track_caller]
    pub fn at_exit(stderr: &str) -> Self {
        assert_balanced(stderr);
        serde_json::from_value(at_exit(stderr)).expect("a ledger")
    }

    pub fn hop(&self, name: &str) -> &Figures {
        &self.hops[name]
    }

    pub fn plugin(&self, name: &str) -> &Figures {
        &self.plugins[name]
    }
}
