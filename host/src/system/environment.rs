//! Environment variables: one that is set but empty counts as unset, since Compose and Helm set variables without a
//! value so.

use super::output::note;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The prefix of all our own variables.
const OURS: &str = "TIDEGATE_";
/// The other variables that this program or a library of it reads. Variables that only the tools of `plugin build` read
/// are not among them: an empty RUSTC_WRAPPER, for example, means something to cargo.
const OTHERS: [&str; 24] = [
    "ALL_PROXY",
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_UNSTABLE_BUILD_STD",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "DOCKER_CONFIG",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NOTIFY_SOCKET",
    "NO_COLOR",
    "NO_PROXY",
    "REGISTRY_AUTH_FILE",
    "RUSTC",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];

/// Executes the program again without the variables that are empty, if there are any. A process cannot safely change
/// its own environment, and in this way libraries do not see the variables either.
pub(crate) fn forget_empty() {
    let empty: Vec<OsString> =
        std::env::vars_os().filter(|(name, value)| value.is_empty() && is_read(name)).map(|(name, _)| name).collect();
    if empty.is_empty() {
        return;
    }
    let mut arguments = std::env::args_os();
    let error = match std::env::current_exe() {
        Ok(program) => {
            let mut anew = Command::new(program);
            if let Some(name) = arguments.next() {
                anew.arg0(name);
            }
            for name in &empty {
                anew.env_remove(name);
            }
            // `exec` returns only if it fails.
            anew.args(arguments).exec()
        }
        Err(error) => error,
    };
    note(format_args!(
        "warning: {} cannot be taken for unset, since this program cannot begin anew: {error}",
        names(&empty)
    ));
}

/// Whether the program reads a variable. The names of those about proxies may be in lower case too.
fn is_read(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with(OURS) || OTHERS.contains(&name.to_uppercase().as_str())
}

fn names(variables: &[OsString]) -> String {
    variables.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ")
}
