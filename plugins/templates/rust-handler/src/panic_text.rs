//! Panics with their text: on this target a panic is a bare trap, and what it says would be lost.

use wasip2::cli::stderr::get_stderr;

/// What one write takes at most.
const PIECE_BYTES: usize = 4096;

/// Has stderr, which is the host's log, tell what a panic says, and where. The host puts it above the trap in each error
/// of the call.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let stderr = get_stderr();
        for piece in format!("{panic}\n").as_bytes().chunks(PIECE_BYTES) {
            let _ = stderr.blocking_write_and_flush(piece);
        }
    }));
}
