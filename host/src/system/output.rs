//! What commands write to stdout and stderr: a reader that goes away does not end them, and a full disk is reported.

use anyhow::anyhow;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Writes all of it to stdout now.
///
/// # Errors
/// Those of [`unless_unread`].
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    unless_unread(try_print(bytes))
}

/// As [`print`], for commands that would go on for ever: `BrokenPipe` says that nobody reads any more.
///
/// # Errors
/// When stdout cannot be written to.
pub(crate) fn try_print(bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes.as_ref())?;
    stdout.flush()
}

/// The error of writing to stdout, if it is one for the command. A reader that has gone away has read what it wanted,
/// which is no error: the command goes on, and its exit code says how its work ended.
///
/// # Errors
/// When stdout cannot be written to for another reason, such as a full disk.
pub(crate) fn unless_unread(written: io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(anyhow!("writing to stdout: {error}")),
        _ => Ok(()),
    }
}

/// Writes a line to stderr, in one write. It is no error if stderr is closed.
pub(crate) fn note(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
