//! The bounds under which a component is tried without a host.

use crate::config::{Limits, LimitsLayer};
use clap::Args;

/// The flag with which a component is given other bounds.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Bounds {
    /// With FILE: a bound by its key in [limits] of a host's configuration, such as call_deadline_ms=5s. Repeatable
    #[arg(long = "limit", value_name = "KEY=VALUE")]
    limits: Vec<LimitsLayer>,
}

impl Bounds {
    /// Whether none was given.
    pub(super) fn are_default(&self) -> bool {
        self.limits.is_empty()
    }

    /// Those that were given over the default ones; of two of one key the later one.
    pub(super) fn limits(&self) -> Limits {
        let layers = self.limits.iter().cloned();
        layers.fold(LimitsLayer::default(), LimitsLayer::under).over(&Limits::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bound_of_a_key_counts() {
        let limits = ["calls_max=2", "call_deadline_ms=5s", "calls_max=3"].map(|text| text.parse().expect(text)).into();
        let limits = Bounds { limits }.limits();
        assert_eq!((limits.calls_max, limits.call_deadline_ms), (3, 5_000));
        assert_eq!(limits.replies_max, Limits::default().replies_max);
    }
}
