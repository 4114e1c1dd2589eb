//! `tidegate capture start`: begins a capture in a running host.

use super::list::told;
use super::place::Place;
use crate::cli::plugin::Admin;
use crate::config::duration;
use crate::record::capture::Asked;
use clap::Args;
use std::process::ExitCode;
use std::time::Duration;

/// The flags of `capture start`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Start {
    #[command(flatten)]
    place: Place,
    /// Only messages whose topic begins so
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only such a share of the messages, each with all its calls or none: 10%, or 0.1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    sample: Option<f64>,
    /// How long: 10m, say
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Option<Duration>,
    /// The most bytes of the file: 1GiB, say; at most capture.bytes_max
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    bytes_max: Option<u64>,
    /// Keys of metadata, or their last parts, whose values are left out
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    redact_metadata: Vec<String>,
    #[command(flatten)]
    admin: Admin,
}

impl Start {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { place: Place { flow, route, policy }, topic, sample, lasts, bytes_max, redact_metadata, admin } =
            self;
        let for_ms = lasts.map(|lasts| u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX));
        let asked = Asked { flow, route, policy, topic, sample, for_ms, bytes_max, redact_metadata };
        let body = serde_json::to_vec(&asked)?;
        admin.run("POST", "/capture", &body, told)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A share, as a part of one or in percent.
fn share(text: &str) -> Result<f64, String> {
    let read = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    let is_share = |share: &f64| *share > 0.0 && *share <= 1.0;
    read.ok().filter(is_share).ok_or_else(|| format!("`{text}` is no share above 0 and up to 1, such as 10% or 0.1"))
}

/// A number of bytes, with or without a unit.
fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0), ("", 0)];
    let (digits, shift) =
        units.into_iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift))).unwrap_or((text, 0));
    let number = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    number.ok_or_else(|| format!("`{text}` is no number of bytes such as 65536, 100MiB or 1GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_bytes_have_units() {
        assert_eq!((share("10%"), share("0.5"), share("100 %")), (Ok(0.1), Ok(0.5), Ok(1.0)));
        for text in ["0%", "101%", "-1", "x", "%", "NaN"] {
            assert!(share(text).unwrap_err().contains(text), "{text}");
        }
        assert_eq!(
            (bytes("1GiB"), bytes("65536"), bytes("2 KiB"), bytes("7B")),
            (Ok(1 << 30), Ok(65_536), Ok(2_048), Ok(7))
        );
        for text in ["", "GiB", "1.5GiB", "1GB", "-1", "99999999999TiB"] {
            assert!(bytes(text).unwrap_err().contains("1GiB"), "{text}");
        }
    }
}
