//! The bounds on what a call returns, in all versions.

use crate::config::Limits;
use crate::plugin::call::CallError;

/// Holds returned messages to the bounds, by the number of frames of each.
///
/// # Errors
/// When there are too many, or one has no frames.
pub(super) fn check_messages(frames: impl ExactSizeIterator<Item = usize>, limits: &Limits) -> Result<(), CallError> {
    if frames.len() > limits.messages_max {
        return Err(CallError::TooManyMessages { count: frames.len(), max: limits.messages_max });
    }
    match frames.enumerate().find(|(_, frames)| *frames == 0) {
        Some((index, _)) => Err(CallError::NoFrames { what: "message", index }),
        None => Ok(()),
    }
}

/// Holds replies to the bounds, by the delay in milliseconds and the number of frames of each.
///
/// # Errors
/// When there are too many, or one waits too long or has no frames.
pub(super) fn check_replies(
    replies: impl ExactSizeIterator<Item = (u32, usize)>,
    limits: &Limits,
) -> Result<(), CallError> {
    if replies.len() > limits.replies_max {
        return Err(CallError::TooManyReplies { count: replies.len(), max: limits.replies_max });
    }
    for (index, (delay_ms, frames)) in replies.enumerate() {
        if delay_ms > limits.delay_ms_max {
            return Err(CallError::DelayTooLong { index, delay_ms, max: limits.delay_ms_max });
        }
        if frames == 0 {
            return Err(CallError::NoFrames { what: "reply", index });
        }
    }
    Ok(())
}
