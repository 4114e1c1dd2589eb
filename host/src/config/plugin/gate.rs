//! `[plugins.NAME.gate]`: the captured traffic that a newcomer has to answer as what serves does.

use crate::config::limits::milliseconds;
use crate::config::{DifferenceBound, JsonPath};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// `[plugins.NAME.gate]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The captured traffic: a capture, or a file of dead letters. It is read at each load.
    #[serde(deserialize_with = "file")]
    pub on: PathBuf,
    /// How many inputs a newcomer may answer differently than what serves: a number such as 0, or a share such as `"0.1%"`.
    #[serde(default = "max_diff")]
    pub max_diff: DifferenceBound,
    /// Places of JSON that may differ or be missing, such as `$.ts`.
    #[serde(default)]
    pub ignore: Vec<JsonPath>,
    /// Arrays of JSON whose order does not count, such as `$.items`.
    #[serde(default)]
    pub unordered: Vec<JsonPath>,
    /// How long the comparison may take; a newcomer that is not compared by then is refused.
    #[serde(default = "time_max_ms", deserialize_with = "milliseconds::<_, _, 1, 3_600_000>")]
    pub time_max_ms: u64,
}

fn max_diff() -> DifferenceBound {
    DifferenceBound::Inputs(0)
}

fn time_max_ms() -> u64 {
    60_000
}

/// Reads a path that is none of nothing.
fn file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.as_os_str().is_empty() {
        return Err(serde::de::Error::custom("the path is empty: name a capture, or a file of dead letters"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_gate_is_read_and_printed() {
        let text =
            "[plugins.a.gate]\non = 'a.mcap'\nmax_diff = '0.5%'\nignore = ['$.ts', \"$['a b']\"]\ntime_max_ms = '5s'";
        let (config, document) = Config::parse(text.to_owned()).unwrap();
        config.check(&document).unwrap();
        let gate = config.gate_of("a").unwrap();
        assert_eq!((gate.max_diff, gate.time_max_ms, gate.ignore.len()), (DifferenceBound::Percent(0.5), 5_000, 2));
        let printed = config.to_toml().unwrap();
        assert_eq!(Config::parse(printed).unwrap().0.plugins, config.plugins);
        let gate = Config::parse("[plugins.a.gate]\non = 'b'".to_owned()).unwrap().0.gate_of("a").cloned().unwrap();
        assert_eq!((gate.max_diff, gate.time_max_ms), (DifferenceBound::Inputs(0), 60_000));
        assert!(config.gate_of("b").is_none());
    }

    #[test]
    fn what_makes_no_gate_is_named_with_its_line_and_a_remedy() {
        for (text, named) in [
            ("on = ''", ["line 2", "the path is empty"]),
            ("max_diff = 1", ["line 1", "missing field `on`"]),
            ("on = 'a'\nmax_diff = -1", ["line 3", "such as \"0.1%\""]),
            ("on = 'a'\nmax_diff = 0.1", ["line 3", "such as \"0.1%\""]),
            ("on = 'a'\nmax_diff = '101%'", ["line 3", "`101%` is neither"]),
            ("on = 'a'\nignore = ['$.a', 'b']", ["line 3", "JSON path `b`: it does not begin with $"]),
            ("on = 'a'\nunordered = '$.a'", ["line 3", "invalid type"]),
            ("on = 'a'\ntime_max_ms = 0", ["line 3", "not between 1 and 3600000"]),
            ("on = 'a'\nmaxdiff = 0", ["line 3", "unknown field"]),
        ] {
            let error = Config::parse(format!("[plugins.a.gate]\n{text}")).unwrap_err();
            for word in named {
                assert!(error.contains(word), "{word:?} is not in: {error}");
            }
        }
    }
}
