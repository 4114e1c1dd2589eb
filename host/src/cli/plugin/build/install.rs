//! The command that installs what is missing, for the system at hand.

use std::fmt::{self, Display};

/// What a tool is packaged as, by each packager.
pub(super) struct Packages {
    pub(super) debian: &'static str,
    pub(super) fedora: &'static str,
    pub(super) arch: &'static str,
    pub(super) alpine: &'static str,
    pub(super) homebrew: &'static str,
}

/// A whole command, where the system is one that is known.
impl Display for Packages {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let root = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
        match self.command(&system) {
            Some(command) => write!(to, "run `{root}{command}`"),
            None if cfg!(target_os = "macos") => write!(to, "run `brew install {}`", self.homebrew),
            None => write!(to, "install it; its packages in Debian are {}", self.debian),
        }
    }
}

impl Packages {
    /// By what /etc/os-release says of the system, and of those that it is like.
    fn command(&self, os_release: &str) -> Option<String> {
        let value =
            |line: &str| Some(line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE="))?.trim_matches('"').to_owned());
        let names = os_release.lines().filter_map(value).collect::<Vec<_>>().join(" ");
        names.split_whitespace().find_map(|name| match name {
            "debian" | "ubuntu" => Some(format!("apt-get install {}", self.debian)),
            "fedora" | "rhel" => Some(format!("dnf install {}", self.fedora)),
            "arch" => Some(format!("pacman -S {}", self.arch)),
            "alpine" => Some(format!("apk add {}", self.alpine)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_that_of_the_system() {
        let packages = Packages { debian: "d", fedora: "f", arch: "a", alpine: "al", homebrew: "h" };
        for (os_release, command) in [
            ("PRETTY_NAME=\"x\"\nID=debian\n", Some("apt-get install d")),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some("apt-get install d")),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", Some("dnf install f")),
            ("ID=arch", Some("pacman -S a")),
            ("ID=alpine", Some("apk add al")),
            ("ID=nixos\nVERSION_ID=24", None),
            ("", None),
        ] {
            assert_eq!(packages.command(os_release).as_deref(), command, "{os_release}");
        }
    }
}
