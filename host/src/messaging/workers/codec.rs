//! What a message looks like to a worker, and a worker's answer to the host: the frames behind the envelope, either way.

mod answer;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod http;
mod request;
mod tnetstring;
mod zhttp;

use crate::config::WorkerCodec;
use crate::flow::{Frames, Message};

/// Why what a worker sent back is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAnswer {
    /// It does not have the shape that the codec asks for: the worker is at fault.
    #[error("{0}")]
    NotOne(String),
    /// It says that the worker could not do it.
    #[error("{0}")]
    Failed(String),
}

/// The frames of a message for a worker, which gets it for the first time or, at a higher `attempt`, after others.
pub(super) fn encode(codec: WorkerCodec, message: &Message, attempt: u32) -> Frames {
    match codec {
        WorkerCodec::Frames => message.frames.clone(),
        WorkerCodec::Http => http::encode(message, attempt),
        WorkerCodec::Zhttp => zhttp::encode(message),
    }
}

/// The message that a worker answers, without anything of the one that it had.
///
/// # Errors
/// When the frames are no answer, or one that says that there is none.
pub(super) fn decode(codec: WorkerCodec, frames: Frames) -> Result<Message, BadAnswer> {
    match codec {
        WorkerCodec::Frames => Ok(Message { frames, ..Message::default() }),
        WorkerCodec::Http => http::decode(frames),
        WorkerCodec::Zhttp => zhttp::decode(&frames),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    #[test]
    fn frames_pass_as_they_are() {
        let frames: Frames = smallvec!["a".into(), "".into(), "b".into()];
        let metadata = vec![("query.a".to_owned(), "1".to_owned())];
        let message = Message { metadata, frames: frames.clone(), ..Message::default() };
        assert_eq!(encode(WorkerCodec::Frames, &message, 2), frames);
        let answer = decode(WorkerCodec::Frames, frames.clone()).unwrap();
        assert_eq!((answer.frames, answer.metadata), (frames, vec![]));
    }
}
