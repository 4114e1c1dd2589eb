//! The calls of a load, which are made again where the host is too busy for them: that says nothing of the component.

use crate::config::{BUSY_LOAD_PAUSE_MS, BUSY_LOAD_TRIES};
use crate::plugin::call::CallError;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Makes a call, up to [`BUSY_LOAD_TRIES`] times while the host is too busy for it. Sets `was_busy` if a try met a busy
/// host.
///
/// # Errors
/// When the last try fails.
pub(super) async fn retry_while_busy<T, F>(mut call: impl FnMut() -> F, was_busy: &AtomicBool) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    for _ in 1..BUSY_LOAD_TRIES {
        match call().await {
            Err(error) if error.is_too_busy() => {
                was_busy.store(true, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(BUSY_LOAD_PAUSE_MS)).await;
            }
            ended => return ended,
        }
    }
    call().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// What comes of calls that end like this, how many were made, and whether the host was too busy for any.
    async fn tried(ends: &[Result<(), CallError>]) -> (Result<(), CallError>, u32, bool) {
        let (mut ends, mut calls, was_busy) = (VecDeque::from(ends.to_vec()), 0, AtomicBool::new(false));
        let call = || {
            calls += 1;
            std::future::ready(ends.pop_front().unwrap_or(Err(CallError::Starved(1))))
        };
        let ended = retry_while_busy(call, &was_busy).await;
        (ended, calls, was_busy.into_inner())
    }

    #[tokio::test]
    async fn only_a_busy_host_is_asked_again_and_not_for_ever() {
        let busy = [Err(CallError::Starved(1)), Err(CallError::TooManyCalls(1))];
        assert_eq!(tried(&[&busy[..], &[Ok(())]].concat()).await, (Ok(()), 3, true));
        let failed = Err(CallError::DeadlineExceeded(1));
        assert_eq!(tried(&[failed.clone(), Ok(())]).await, (failed, 1, false));
        assert_eq!(tried(&[]).await, (Err(CallError::Starved(1)), BUSY_LOAD_TRIES, true));
    }
}
