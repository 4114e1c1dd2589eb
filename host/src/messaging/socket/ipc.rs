//! Sockets in the file system: which existing files may be replaced, and who may connect.

use crate::messaging::socket;
use rustix::fs::Mode;
use rustix::process::umask;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// The prefix of an endpoint in the file system.
const SCHEME: &str = "ipc://";

/// The longest path that the system takes for a socket, without the zero byte that ends it.
#[cfg(target_os = "linux")]
const PATH_BYTES_MAX: usize = 107;
#[cfg(not(target_os = "linux"))]
const PATH_BYTES_MAX: usize = 103;

/// The file that lists the system's groups.
const GROUPS_FILE: &str = "/etc/group";

/// Held while a socket is bound under another umask: that belongs to the whole process.
static MASK: Mutex<()> = Mutex::new(());

/// Who may connect to a socket in the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpcAccess {
    /// The mode of its file: users with write access may connect.
    pub mode: u32,
    /// The group of its file; none for the group of the process.
    pub group: Option<u32>,
}

/// The path of an endpoint in the file system; none for other endpoints, and for abstract names, which have no file.
fn path_of(endpoint: &str) -> Option<&str> {
    endpoint.strip_prefix(SCHEME).filter(|path| !path.starts_with('@'))
}

/// Whether an endpoint's path is short enough for the system; the error of libzmq would not say by how much it is too
/// long.
///
/// # Errors
/// When it is too long; says how long it may be.
pub(super) fn check_length(endpoint: &str) -> Result<(), String> {
    match endpoint.strip_prefix(SCHEME) {
        Some(path) if path.len() > PATH_BYTES_MAX => Err(format!(
            "its path has {} bytes, and the path of a socket may have {PATH_BYTES_MAX}: use a shorter one",
            path.len()
        )),
        _ => Ok(()),
    }
}

/// libzmq deletes whatever is at the path that it binds to. That is allowed only for a socket on which nobody listens.
///
/// # Errors
/// When the path is that of something else than a socket, or of one that is in use.
pub(super) fn refuse_foreign_file(endpoint: &str) -> Result<(), String> {
    let Some(path) = path_of(endpoint) else { return Ok(()) };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err("the path exists and is not a socket".to_owned()),
        // Only these errors mean that nobody listens. After any other the socket may be in use by another user, who
        // does not let us connect.
        Ok(_) => match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused || error.kind() == ErrorKind::NotFound => Ok(()),
            _ => Err(socket::cause(zmq::Error::EADDRINUSE)),
        },
        Err(_) => Ok(()),
    }
}

/// Has `bind` make the socket of an endpoint such that at no moment more may connect than `access` says. `bind` returns
/// the real endpoint, and so does this.
///
/// # Errors
/// Those of `bind`; and when the system does not give the file that group or mode.
pub(super) fn bind_guarded(
    endpoint: &str,
    access: IpcAccess,
    bind: impl FnOnce() -> Result<String, String>,
) -> Result<String, String> {
    if path_of(endpoint).is_none() {
        if endpoint.starts_with(SCHEME) {
            tracing::warn!(
                "{endpoint}: a name without a file has no mode, and every user of this machine may connect; use a path"
            );
        }
        return bind();
    }
    let bound = {
        let _one = MASK.lock().unwrap_or_else(PoisonError::into_inner);
        // Until the group is set, the owner alone may connect. Files that other threads create meanwhile are the
        // owner's alone too.
        let before = umask(Mode::from_raw_mode(!(access.mode & 0o700) & 0o777));
        let bound = bind();
        umask(before);
        bound?
    };
    let path = path_of(&bound).unwrap_or_default();
    // If the directory passes its own group on to new files, the group is right already. Then chown is not called,
    // because a system call filter may forbid it.
    if let Some(group) = access.group
        && fs::symlink_metadata(path).map_or(true, |found| found.gid() != group)
    {
        lchown(path, None, Some(group)).map_err(|error| format!("giving it to the group {group}: {error}"))?;
    }
    let mode = access.mode;
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| format!("setting its mode {mode:04o}: {error}"))?;
    Ok(bound)
}

/// The number of a group that is given by its name or by its number.
///
/// # Errors
/// When the system has no such group.
pub fn group_number(name: &str) -> Result<u32, String> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string(GROUPS_FILE).unwrap_or_default();
    let number = groups.lines().find_map(|line| match line.split(':').collect::<Vec<_>>()[..] {
        [found, _, number, ..] if found == name => number.parse().ok(),
        _ => None,
    });
    number.ok_or_else(|| format!("no group `{name}` in {GROUPS_FILE}: name another one, or give its number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_a_name_or_a_number() {
        assert_eq!(group_number("root"), Ok(0));
        assert_eq!(group_number("4711"), Ok(4711));
        let error = group_number("no-such-group").expect_err("no group");
        assert!(error.contains("`no-such-group`") && error.contains("give its number"), "{error}");
    }

    #[test]
    fn a_path_that_is_too_long_is_told_with_its_length() {
        let endpoint = |bytes: usize| format!("ipc:///{}", "x".repeat(bytes - 1));
        assert_eq!(check_length(&endpoint(PATH_BYTES_MAX)), Ok(()));
        let error = check_length(&endpoint(PATH_BYTES_MAX + 1)).expect_err("too long");
        assert!(error.contains(&(PATH_BYTES_MAX + 1).to_string()), "{error}");
        assert_eq!(check_length(&format!("tcp://{}:1", "x".repeat(200))), Ok(()));
    }
}
