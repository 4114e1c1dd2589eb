//! File descriptors: each connection takes one, and the system limits how many a process may have.
//!
//! The system gives the lowest number that is free, so the number of a new connection shows how many are taken.
//! Connections of clients and peers are refused from a certain number on; the rest is kept for the host itself, to
//! answer at the admin surface, load plugins and write files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering};

/// About how many descriptors a host has open without any connection: sockets, signals, watched files.
const IDLE: u64 = 48;
/// How many are kept for the host's own work (compilers and their pipes, files, the admin surface), if there are not
/// many in all. With very few in all it is a quarter of them.
const OWN_MAX: u64 = 128;
/// With many in all, one part in so many is kept, up to a bound: the admin surface may have more callers then.
const OWN_PART: u64 = 16;
const OWN_MANY: u64 = 2_048;
/// How many HTTP leaves to ZeroMQ peers, if there are enough; the peers leave half as many to HTTP.
const PEERS: u64 = 1_024;

/// The descriptor number from which on connections of strangers are refused, in the whole process.
static STRANGERS_BELOW: AtomicI32 = AtomicI32::new(RawFd::MAX);

/// How the descriptors are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// The most connections of the public HTTP surface.
    pub http_max: usize,
    /// The most connections of the admin surface.
    pub admin_max: usize,
    /// The descriptor number from which on ZeroMQ peers are refused.
    pub peers_below: RawFd,
    /// The same for connections of other strangers.
    strangers_below: RawFd,
}

impl Shares {
    /// Divides `available` descriptors. A quarter is kept for the host, up to a bound. Of the others, HTTP leaves half
    /// to ZeroMQ peers and the peers leave a quarter to HTTP, up to bounds too, so that a crowd on one side does not
    /// shut out the other.
    fn of(available: u64, connections_max: usize) -> Self {
        let own = (available / 4).min((available / OWN_PART).clamp(OWN_MAX, OWN_MANY));
        let strangers = available.saturating_sub(own);
        let places = strangers.saturating_sub(IDLE).max(4);
        let number = |count: u64| RawFd::try_from(count).unwrap_or(RawFd::MAX);
        Self {
            http_max: connections_max.min(usize::try_from(places - (places / 2).min(PEERS)).unwrap_or(usize::MAX)),
            admin_max: connections_max.min(usize::try_from(own / 2).unwrap_or(usize::MAX)).max(1),
            peers_below: number(strangers.saturating_sub((places / 4).min(PEERS / 2))),
            strangers_below: number(strangers),
        }
    }
}

/// Raises the limit as far as this process may, divides the descriptors, and warns if HTTP gets fewer than
/// `connections_max`.
pub fn take_all(connections_max: usize) -> Shares {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "raising the limit on open files");
    }
    // None means that there is no limit.
    let available = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let shares = Shares::of(available, connections_max);
    if let Some(warning) = warning(available, connections_max, shares) {
        tracing::warn!("{warning}");
    }
    STRANGERS_BELOW.store(shares.strangers_below, Ordering::Relaxed);
    shares
}

/// Whether a stranger's connection with this descriptor is to be refused, because it is among those kept for the host.
pub fn is_reserved(descriptor: RawFd) -> bool {
    descriptor >= STRANGERS_BELOW.load(Ordering::Relaxed)
}

fn warning(available: u64, connections_max: usize, shares: Shares) -> Option<String> {
    let Shares { http_max, .. } = shares;
    (http_max < connections_max).then(|| {
        format!(
            "this process may open {available} files: HTTP gets {http_max} connections in place of the {connections_max} of \
             http.connections_max, and ZeroMQ peers are refused once they leave too few to it; raise the hard limit \
             (ulimit -Hn, LimitNOFILE=), or lower connections_max"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_what_others_need() {
        for available in [128, 256, 1_024, 4_096, 1_048_576] {
            let Shares { http_max, admin_max, peers_below, strangers_below } = Shares::of(available, 10_000);
            let own = available - u64::from(strangers_below.unsigned_abs());
            let expected = if available < 4_096 { OWN_MAX.min(available / 4) } else { OWN_MANY.min(available / 16) };
            assert!(own == expected && admin_max as u64 == own / 2, "{available}");
            // A crowd of peers leaves some connections, and one of connections some peers.
            assert!(strangers_below - peers_below >= 12, "{available}");
            assert!(u64::from(peers_below.unsigned_abs()) >= IDLE + http_max as u64 + 12, "{available}");
        }
        let few = Shares::of(16, 10_000);
        assert!(few.http_max > 0 && few.admin_max > 0, "{few:?}");
        assert_eq!(Shares::of(1_048_576, 10_000).http_max, 10_000);
        let shares = Shares { http_max: 24, admin_max: 16, peers_below: 84, strangers_below: 96 };
        assert_eq!(Shares::of(128, 10_000), shares);
    }

    #[test]
    fn too_few_are_named_with_the_remedy() {
        let warning_of = |available, max| warning(available, max, Shares::of(available, max));
        assert_eq!(warning_of(u64::MAX, 10_000), None);
        assert_eq!(warning_of(1_048_576, 10_000), None);
        assert_eq!(warning_of(11_820, 10_000), None);
        assert_eq!(warning_of(128, 24), None);
        let warning = warning_of(1_024, 10_000).expect("a warning");
        assert!(warning.contains("1024 files: HTTP gets 424 connections in place of the 10000"), "{warning}");
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        take_all(1);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
