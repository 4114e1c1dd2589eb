//! Descriptors: each connection takes one, and by default the system lets a process have few of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the host itself needs: its files, sockets, pipes and plugins that are being loaded.
const OWN: u64 = 256;

/// Takes as many as this process may have, and says so where that is fewer than `connections_max` need. Without a limit there
/// is nothing to say.
pub fn take_all(connections_max: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "raising the limit on open files");
    }
    let available = getrlimit(Resource::Nofile).current;
    if let Some(warning) = warning(available, connections_max) {
        tracing::warn!("{warning}");
    }
}

fn warning(available: Option<u64>, connections_max: usize) -> Option<String> {
    let (available, needed) = (available?, OWN + connections_max as u64);
    (available < needed).then(|| {
        format!(
            "this process may open {available} files, and http.connections_max {connections_max} alone needs {needed}: more \
             connections than that wait to be accepted; raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower \
             connections_max"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_are_named_with_the_remedy() {
        assert_eq!(warning(None, 10_000), None);
        assert_eq!(warning(Some(10_256), 10_000), None);
        let warning = warning(Some(1_024), 10_000).expect("a warning");
        assert!(warning.contains("1024 files") && warning.contains("10256"), "{warning}");
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        take_all(1);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
