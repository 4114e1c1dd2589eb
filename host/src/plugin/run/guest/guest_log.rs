//! A plugin's lines in the host's log, by its logging import and its stdout and stderr: bounded in number and length.

use super::error_output::ErrorOutput;
use crate::config::LOG_LINE_BYTES_MAX;
use crate::plugin::call::CallNumber;
use crate::plugin::run::plugin_state::PluginState;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Stdout or stderr of a guest: each line of it becomes one of the log.
#[derive(Clone)]
pub(super) struct LogStream {
    plugin_state: Arc<PluginState>,
    line: Arc<Mutex<Line>>,
    error_output: Option<ErrorOutput>,
}

/// What stands there without an end of line, and the call that it is of.
struct Line {
    bytes: Vec<u8>,
    number: CallNumber,
}

impl LogStream {
    /// In the call of this number; of stderr also to `error_output`.
    pub(super) fn new(plugin_state: Arc<PluginState>, number: CallNumber, error_output: Option<ErrorOutput>) -> Self {
        let line = Arc::new(Mutex::new(Line { bytes: Vec::new(), number }));
        Self { plugin_state, line, error_output }
    }

    /// What comes from now on is of another call.
    pub(super) fn restart(&self, number: CallNumber) {
        self.line().number = number;
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, bytes: &[u8]) {
        if let Some(error_output) = &self.error_output {
            error_output.write(bytes);
        }
        let mut line = self.line();
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line(&mut line);
            } else if line.bytes.len() < LOG_LINE_BYTES_MAX {
                line.bytes.push(byte);
            }
        }
    }

    /// Writes what stands there without an end of line.
    pub(super) fn end(&self) {
        self.end_line(&mut self.line());
    }

    fn end_line(&self, line: &mut Line) {
        if !line.bytes.is_empty() {
            let text = String::from_utf8_lossy(&line.bytes);
            self.plugin_state.log(line.number, tracing::Level::INFO, "stdio", &text);
            line.bytes.clear();
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
