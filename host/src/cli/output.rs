//! What commands print: tables, messages and outcomes as text, and word of work that takes long.

pub(super) mod differences;
pub(super) mod outcome;
pub(super) mod progress;
pub(super) mod render;
pub(super) mod table;

/// Whether what stands on this stream can be written over.
pub(super) fn redraws(stream: impl std::io::IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}
