//! How much a shadow is called, what differs in it, and what lets it serve.

use crate::cli::plugin::encoded;
use crate::config::SHADOW_CALLS_MIN;
use crate::record::compare::{DifferenceBound, JsonPath};
use clap::Args;

/// The flags of every command that begins a shadow.
#[derive(Debug, Args)]
pub(in crate::cli) struct Terms {
    /// Of a hundred calls it is called on so many
    #[arg(long, value_name = "N", default_value = "100")]
    percent: f64,
    /// Calls that have to be compared before it may serve
    #[arg(long, value_name = "N", default_value_t = SHADOW_CALLS_MIN)]
    min_calls: u64,
    /// How much may differ then, as a number of calls or as a share such as 0.1%
    #[arg(long, value_name = "N|N%", default_value = "0")]
    max_diff: DifferenceBound,
    /// Have it take the place of what serves by itself once it may
    #[arg(long)]
    auto: bool,
    /// A place in JSON that may differ, such as $.ts or $.items[*].id. Repeatable
    #[arg(long = "ignore", value_name = "PATH")]
    ignored: Vec<JsonPath>,
    /// An array in JSON whose elements may stand in any order, such as $.items. Repeatable
    #[arg(long, value_name = "PATH")]
    unordered: Vec<JsonPath>,
}

impl Terms {
    /// As the query of the request that begins it, with further pairs of `key`.
    pub(in crate::cli) fn query<'a>(&self, key: &str, values: impl IntoIterator<Item = &'a String>) -> String {
        let Self { percent, min_calls, max_diff, auto, ignored, unordered } = self;
        let max_diff = encoded(&max_diff.to_string());
        let mut query = format!("percent={percent}&min_calls={min_calls}&max_diff={max_diff}&auto={auto}");
        let mut add = |key: &str, value: &str| query += &format!("&{key}={}", encoded(value));
        ignored.iter().for_each(|path| add("ignore", &path.to_string()));
        unordered.iter().for_each(|path| add("unordered", &path.to_string()));
        values.into_iter().for_each(|value| add(key, value));
        query
    }
}
