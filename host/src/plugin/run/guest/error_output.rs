//! What a guest wrote of its own error in one call: its stderr, and what it logged as an error. A trap alone says where
//! the guest ended; the traceback or the panic's text that it wrote before says why.

use crate::config::ERROR_OUTPUT_BYTES_MAX;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The end of that, since runtimes write the error itself last. Clones share it.
#[derive(Clone, Default)]
pub(super) struct ErrorOutput(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    is_cut: bool,
}

impl ErrorOutput {
    /// Adds bytes at the end, and drops as many at the beginning as are over the bound.
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut kept = self.lock();
        kept.bytes.extend(&bytes[bytes.len().saturating_sub(ERROR_OUTPUT_BYTES_MAX)..]);
        let surplus = kept.bytes.len().saturating_sub(ERROR_OUTPUT_BYTES_MAX);
        kept.is_cut |= surplus > 0 || bytes.len() > ERROR_OUTPUT_BYTES_MAX;
        kept.bytes.drain(..surplus);
    }

    /// Forgets what the call before wrote.
    pub(super) fn clear(&self) {
        *self.lock() = Kept::default();
    }

    /// The text, without space around it; none if there is none.
    pub(super) fn text(&self) -> Option<String> {
        let mut kept = self.lock();
        let text = String::from_utf8_lossy(kept.bytes.make_contiguous()).trim().to_owned();
        let text = if kept.is_cut { format!("…{text}") } else { text };
        Some(text).filter(|text| !text.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_what_was_written_is_kept() {
        let output = ErrorOutput::default();
        assert_eq!(output.text(), None);
        output.write(b"\n");
        assert_eq!(output.text(), None);
        output.write(b"Traceback:\n");
        output.write(b"  \xff line 1\n");
        assert_eq!(output.text().as_deref(), Some("Traceback:\n  \u{fffd} line 1"));
        output.write(&[b'x'; ERROR_OUTPUT_BYTES_MAX]);
        output.write(b"the error");
        let text = output.text().expect("a text");
        assert!(text.starts_with('…') && text.ends_with("xthe error"), "{text}");
        assert_eq!(text.len(), ERROR_OUTPUT_BYTES_MAX + '…'.len_utf8());
        output.clear();
        output.write(&[b'y'; 2 * ERROR_OUTPUT_BYTES_MAX]);
        assert_eq!(output.text().map(|text| text.len()), Some(ERROR_OUTPUT_BYTES_MAX + '…'.len_utf8()));
    }
}
