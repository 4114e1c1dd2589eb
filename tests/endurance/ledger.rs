//! The ledger as the host tells it, while it runs and in its last words, with figures to reckon with.

use crate::balance::{assert_balanced, assert_even, at_exit};
use crate::harness::Client;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The figures of a hop or a plugin.
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

/// All hops and all plugins.
#[derive(Debug, Deserialize)]
pub struct Books {
    hops: BTreeMap<String, Figures>,
    plugins: BTreeMap<String, Figures>,
}

impl Books {
    /// As of now, from the admin surface. They add up, whenever that is.
    #[track_caller]
    pub fn read(admin: &Client) -> Self {
        let answer = admin.request("GET", "/ledger", None).expect("the admin surface answers");
        assert_even(&answer.json());
        serde_json::from_value(answer.json()).expect("a ledger")
    }

    /// Of the last words of a host. They add up, with nothing in flight.
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
