//! `tidegate health`: whether a running host is ready, for health checks where there is no curl.

use crate::config::Address;
use crate::system::output::print;
use anyhow::{anyhow, bail};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;
use ureq::Agent;
use ureq::http::header::ACCEPT;

/// What asks runs every few seconds, and an answer that takes longer is as bad as none.
const TIMEOUT: Duration = Duration::from_secs(3);
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Ask a running host whether it is ready: exit code 0 if it is, else 1, with the reasons, and since when.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The admin address of the host
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_ADMIN", default_value = "127.0.0.1:5001")]
    admin: Address,
    /// Ask only whether it lives, which it does while it drains or waits for a plugin
    #[arg(long)]
    live: bool,
    /// Print of each thing that was looked at how it is, since when, and why, as JSON
    #[arg(long, conflicts_with = "live")]
    json: bool,
}

/// Asks once, and says what the host said.
///
/// # Errors
/// When there is no address to ask, no host answers in time, or stdout does not take the answer.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Some(address) = args.admin.0 else { bail!("no host to ask: name its address with --admin") };
    let path = if args.live { "/livez" } else { "/readyz" };
    let url = format!("http://{}{path}", within_reach(address));
    // A proxy would answer for itself.
    let agent: Agent =
        Agent::config_builder().http_status_as_error(false).proxy(None).timeout_global(Some(TIMEOUT)).build().into();
    let failed = |error| anyhow!("asking {url}: {error}: start a host, or name its address with --admin");
    let accept = if args.json { "application/json" } else { "text/plain" };
    let mut answer = agent.get(&url).header(ACCEPT, accept).call().map_err(failed)?;
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(failed)?;
    print(if args.json { text + "\n" } else { text })?;
    Ok(if answer.status().as_u16() == 200 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A host that listens on every address is asked on this machine's own.
fn within_reach(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_means_this_machine() {
        for (given, asked) in
            [("0.0.0.0:5001", "127.0.0.1:5001"), ("[::]:5001", "[::1]:5001"), ("127.0.0.2:1", "127.0.0.2:1")]
        {
            assert_eq!(within_reach(given.parse().expect(given)).to_string(), asked);
        }
    }
}
