//! A guest's stdin: there is nothing to read, and who tries is counted.

use crate::plugin::run::plugin_state::PluginState;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncRead;
use wasmtime_wasi::cli::{IsTerminal, StdinStream};
use wasmtime_wasi::p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult};

/// A stdin that is at its end, and counts who reads it.
#[derive(Clone)]
pub(super) struct CountedStdin(pub(super) Arc<PluginState>);

impl IsTerminal for CountedStdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for CountedStdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> DynInputStream {
        Box::new(self.clone())
    }
}

impl InputStream for CountedStdin {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        self.0.denied.stdin.fetch_add(1, Ordering::Relaxed);
        Err(StreamError::Closed)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for CountedStdin {
    async fn ready(&mut self) {}
}
