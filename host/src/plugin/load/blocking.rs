//! Blocking work of loads, off the runtime's threads.

use super::LoadError;
use tokio::sync::Semaphore;

/// How many pieces of work run at the same time: a thousand files that are loaded at once must not take a thread each.
const BLOCKING_MAX: usize = 16;
static BLOCKING: Semaphore = Semaphore::const_new(BLOCKING_MAX);
/// Files that are read have permits of their own: a file system that hangs must not keep what is handed in from being
/// loaded.
static READING: Semaphore = Semaphore::const_new(BLOCKING_MAX);

/// Runs work that takes the processor. A panic in it counts as a fault of the file, not of the host.
///
/// # Errors
/// When the work fails, or panics.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    with_permit(&BLOCKING, work).await
}

/// Runs work that waits for a plugin's file.
///
/// # Errors
/// When the work fails, or panics.
pub(crate) async fn reading<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    with_permit(&READING, work).await
}

async fn with_permit<T: Send + 'static>(
    permits: &Semaphore,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    let _permit = permits.acquire().await;
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(LoadError::Compile(format!("the engine gave up: {panic}"))),
    }
}
