//! Fail points: places at which a test can make a part of the host die, in builds with debug assertions alone.
//!
//! The variable `TIDEGATE_FAIL_POINTS` names a directory. Once a file with the name of a part is there, the part panics
//! at its next fail point, or, if the file says `error`, ends with an error.

#[cfg(debug_assertions)]
const VARIABLE: &str = "TIDEGATE_FAIL_POINTS";

/// Whether a test wants the part to end with an error now.
#[cfg(debug_assertions)]
pub(crate) fn is_to_fail(part: &str) -> bool {
    use std::path::PathBuf;
    static DIRECTORY: std::sync::LazyLock<Option<PathBuf>> =
        std::sync::LazyLock::new(|| std::env::var_os(VARIABLE).map(PathBuf::from));
    let Some(directory) = &*DIRECTORY else { return false };
    let Ok(how) = std::fs::read_to_string(directory.join(part)) else { return false };
    assert_eq!(how, "error", "{VARIABLE} asks {part} to panic");
    true
}

/// In a release build no part has a fail point.
#[cfg(not(debug_assertions))]
pub(crate) const fn is_to_fail(_part: &str) -> bool {
    false
}
