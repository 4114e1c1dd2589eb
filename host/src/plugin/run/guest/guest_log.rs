//! A plugin's lines in the host's log, by its logging import and its stdout and stderr: bounded in number and length.

use super::error_output::ErrorOutput;
use crate::config::LOG_LINE_BYTES_MAX;
use crate::plugin::run::plugin_state::PluginState;
use bytes::Bytes;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Stdout or stderr of a guest: each line of it becomes one of the log.
#[derive(Clone)]
pub(super) struct LogStream {
    plugin_state: Arc<PluginState>,
    line: Arc<Mutex<Vec<u8>>>,
    error_output: Option<ErrorOutput>,
}

impl LogStream {
    /// Of stderr also to `error_output`.
    pub(super) fn new(plugin_state: Arc<PluginState>, error_output: Option<ErrorOutput>) -> Self {
        Self { plugin_state, line: Arc::default(), error_output }
    }

    fn take(&self, bytes: &[u8]) {
        if let Some(error_output) = &self.error_output {
            error_output.write(bytes);
        }
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
            self.plugin_state.log(tracing::Level::INFO, "stdio", &String::from_utf8_lossy(line));
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
