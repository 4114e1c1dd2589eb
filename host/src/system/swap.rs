//! Swap: whether the system may write the memory of this process to a disk, which is logged at the start.

use std::fs::read_to_string;
use std::path::Path;

/// Logs whether memory may be swapped out, and what that means for the data of calls.
pub fn report() {
    let cgroups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let is_forbidden = is_forbidden(&cgroups, Path::new("/sys/fs/cgroup"));
    // The file is unreadable if the systemd unit hides all of /proc but processes.
    if is_forbidden || read_to_string("/proc/swaps").is_ok_and(|swaps| is_empty(&swaps)) {
        let why = if is_forbidden { "this control group may have none" } else { "the system has none" };
        tracing::info!("memory is not swapped out: {why}; instances are wiped whole after each call all the same");
    } else {
        tracing::info!(
            "memory may be swapped out, and what calls hold then gets to a disk: forbid it with MemorySwapMax=0 in the unit or \
             memswap_limit of the container; no later call sees it, since instances are wiped whole after each call"
        );
    }
}

/// Whether the control group (v2) of this process, or one around it, may use no swap. `cgroups` is the content of
/// `/proc/self/cgroup`.
fn is_forbidden(cgroups: &str, mount: &Path) -> bool {
    let Some(own) = cgroups.lines().find_map(|line| line.strip_prefix("0::/")) else { return false };
    mount
        .join(own)
        .ancestors()
        .take_while(|group| group.starts_with(mount))
        .any(|group| read_to_string(group.join("memory.swap.max")).is_ok_and(|max| max.trim() == "0"))
}

/// Whether the list of swap devices, which includes zram, is empty apart from its heading.
fn is_empty(swaps: &str) -> bool {
    swaps.lines().count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_without_swap_forbids_it_to_all_below() {
        let mount = tempfile::tempdir().unwrap();
        let group = mount.path().join("system.slice/tidegate.service");
        std::fs::create_dir_all(&group).unwrap();
        std::fs::write(group.join("memory.swap.max"), "max\n").unwrap();
        let of = |cgroups| is_forbidden(cgroups, mount.path());
        assert!(!of("0::/system.slice/tidegate.service\n"));
        std::fs::write(mount.path().join("system.slice/memory.swap.max"), "0\n").unwrap();
        assert!(of("0::/system.slice/tidegate.service\n"));
        assert!(!of("0::/\n"));
        assert!(!of("4:memory:/system.slice\n"));
    }

    #[test]
    fn a_list_with_a_device_is_not_empty() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        assert!(is_empty(heading));
        assert!(!is_empty(&format!("{heading}/dev/zram0  partition  1024  0  100\n")));
    }
}
