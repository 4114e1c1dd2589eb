//! Summarizes measured values as a few figures.

use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// The median and the range of one figure over several rounds.
#[derive(Clone, Copy, Serialize)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Summary {
    /// Summarizes at least one value.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[half - 1], values[half]),
            _ => values[half],
        };
        Self { median, min: values[0], max: values[values.len() - 1] }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { median, min, max } = *self;
        write!(f, "{} [{}–{}]", short(median), short(min), short(max))
    }
}

/// Formats with about three significant digits, because the measurements have no more.
fn short(value: f64) -> String {
    let decimals = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// The quantile `q` of sorted values, of which there is at least one.
pub fn quantile(sorted: &[Duration], q: f64) -> Duration {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_middle_and_the_ends() {
        let odd = Summary::of([3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(Summary::of([4.0, 1.0]).median, 2.5);
        assert_eq!(Summary::of([0.1234, 12.34, 1234.0]).to_string(), "12.3 [0.123–1234]");
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values: Vec<_> = (1..=1000).map(Duration::from_millis).collect();
        let ms = |q| quantile(&values, q).as_millis();
        assert_eq!((ms(0.0), ms(0.5), ms(0.99), ms(0.999), ms(1.0)), (1, 500, 990, 999, 1000));
        assert_eq!(quantile(&values[..1], 0.999).as_millis(), 1);
    }
}
