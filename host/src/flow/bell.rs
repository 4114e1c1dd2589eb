//! A bell wakes a loop that polls descriptors: a pipe, into which other threads write a byte.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

/// The loop's end of the pipe, which is readable once the bell has rung. Several [mailboxes](super::mailbox::Mailbox)
/// may share one.
#[derive(Debug)]
pub(crate) struct Bell {
    reader: PipeReader,
    waker: Waker,
}

impl Bell {
    /// A bell that has not rung.
    ///
    /// # Errors
    /// When the system gives no pipe.
    pub(crate) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, waker: Waker::from(Arc::new(Ringer(writer))) })
    }

    /// What rings it, for [`may_sleep`](super::mailbox::Mailbox::may_sleep).
    pub(crate) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Reads the bytes that were written, after a poll has found the pipe readable. Otherwise it would wait for the
    /// next ring.
    ///
    /// # Errors
    /// When the pipe cannot be read.
    pub(crate) fn silence(&self) -> io::Result<()> {
        (&self.reader).read(&mut [0; 16]).map(drop)
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }
}

struct Ringer(PipeWriter);

impl Wake for Ringer {
    fn wake(self: Arc<Self>) {
        // The pipe has room: each sleep brings one byte at most, and the poll that ends it takes them out. So this
        // fails only where the loop has ended and closed its end.
        let _ = (&self.0).write_all(&[0]);
    }
}
