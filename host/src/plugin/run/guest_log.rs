//! A plugin's lines in the host's log, by its logging import and its stdout and stderr: bounded in number and length.

use crate::config::LOG_LINE_BYTES_MAX;
use crate::plugin::slot::account::Account;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Written,
    /// After so many that were not.
    WrittenAfter(u64),
    /// The first since one was written.
    DroppedFirst,
    Dropped,
}

/// Lets so many lines through per second, with as many at once, and counts the others.
#[derive(Debug)]
pub(crate) struct LineBudget {
    per_second: u32,
    left: Mutex<(f64, Instant)>,
    dropped: AtomicU64,
    /// Of those dropped, the ones that no line has told of yet.
    untold: AtomicU64,
}

impl LineBudget {
    pub(crate) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            left: Mutex::new((f64::from(per_second), Instant::now())),
            dropped: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        }
    }

    /// Whether one more line may be written.
    pub(crate) fn admit(&self) -> Admission {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, since) = &mut *left;
        let now = Instant::now();
        let most = f64::from(self.per_second);
        *lines = (*lines + now.duration_since(*since).as_secs_f64() * most).min(most);
        *since = now;
        if *lines < 1.0 {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return if self.untold.fetch_add(1, Ordering::Relaxed) == 0 {
                Admission::DroppedFirst
            } else {
                Admission::Dropped
            };
        }
        *lines -= 1.0;
        match self.untold.swap(0, Ordering::Relaxed) {
            0 => Admission::Written,
            lost => Admission::WrittenAfter(lost),
        }
    }

    /// All that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Stdout or stderr of a guest: each line of it becomes one of the log.
#[derive(Clone)]
pub(super) struct LogStream {
    account: Arc<Account>,
    line: Arc<Mutex<Vec<u8>>>,
}

impl LogStream {
    pub(super) fn new(account: Arc<Account>) -> Self {
        Self { account, line: Arc::default() }
    }

    fn take(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line(&mut line);
            } else if line.len() < LOG_LINE_BYTES_MAX {
                line.push(byte);
            }
        }
    }

    /// Writes what stands there without an end of line.
    pub(super) fn end(&self) {
        self.end_line(&mut self.line.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn end_line(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            self.account.log(tracing::Level::INFO, "stdio", &String::from_utf8_lossy(line));
            line.clear();
        }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LOG_LINE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_over_the_budget_are_counted_and_told_of_later() {
        let budget = LineBudget::new(2);
        assert_eq!((budget.admit(), budget.admit()), (Admission::Written, Admission::Written));
        assert_eq!((budget.admit(), budget.admit()), (Admission::DroppedFirst, Admission::Dropped));
        budget.left.lock().unwrap().0 = 1.0;
        assert_eq!(budget.admit(), Admission::WrittenAfter(2));
        assert_eq!(budget.dropped(), 2);
    }
}
