//! The examples of the role `reply-policy`: a request in, and what is promised of the replies that come out.

use super::difference::{same, same_bytes, within};
use super::{Content, ErrorKind, Exemplary};
use crate::flow::Metadata;
use crate::plugin::call::{Reply, Request};
use crate::plugin::roles::reply_policy::ReplyPolicy;
use serde::Deserialize;
use std::sync::Arc;

/// Who asks, where an example does not say.
const IDENTITY: &[u8] = b"example";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    identity: Option<Content>,
    #[serde(default)]
    metadata: Metadata,
    frames: Vec<Content>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    replies_min: Option<usize>,
    replies_max: Option<usize>,
    delay_ms_min: Option<u32>,
    delay_ms_max: Option<u32>,
    /// Of every reply.
    frames: Option<Vec<Content>>,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

impl Exemplary for ReplyPolicy {
    type Input = Input;
    type Expected = Expected;

    fn input(Input { identity, metadata, frames }: &Input) -> Arc<Request> {
        let identity = identity.as_ref().map_or(IDENTITY, |Content(identity)| identity).to_owned();
        let frames = frames.iter().map(|Content(frame)| frame.clone()).collect();
        Arc::new(Request { identity, metadata: metadata.clone(), frames })
    }

    fn error(expected: &Expected) -> (Option<ErrorKind>, Option<&str>) {
        (expected.error, expected.error_contains.as_deref())
    }

    fn compare(expected: &Expected, replies: Vec<Reply>) -> Result<(), String> {
        let Expected { replies_min, replies_max, delay_ms_min, delay_ms_max, frames: expected, .. } = expected;
        within("replies", replies.len(), *replies_min, *replies_max)?;
        for (index, Reply { delay_ms, frames }) in replies.iter().enumerate() {
            within(&format!("delay_ms of reply {index}"), *delay_ms, *delay_ms_min, *delay_ms_max)?;
            if let Some(expected) = expected {
                same(&format!("number of frames of reply {index}"), &expected.len(), &frames.len())?;
                for (position, (Content(expected), frame)) in expected.iter().zip(frames).enumerate() {
                    same_bytes(&format!("frame {position} of reply {index}"), expected, frame)?;
                }
            }
        }
        Ok(())
    }
}
