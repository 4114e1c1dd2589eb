//! Examples called `reply-policy`: a request in, and what is promised of the replies that come out.

use super::difference::{same, same_bytes, within};
use super::{Content, ErrorKind, Exemplary};
use crate::flow::{Message, Metadata, Output, Outputs};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::roles::reply_policy::ReplyPolicy;
use crate::plugin::roles::role::Role;
use bytes::Bytes;
use serde::Deserialize;

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
    delay_ms_min: Option<u64>,
    delay_ms_max: Option<u64>,
    /// Of every reply.
    frames: Option<Vec<Content>>,
    error: Option<ErrorKind>,
    error_contains: Option<String>,
}

pub(super) enum OfReplyPolicy {}

impl Exemplary for OfReplyPolicy {
    type Role = ReplyPolicy;
    type Input = Input;
    type Expected = Expected;

    const NAME: &str = "reply-policy";

    fn input(plugin: &Plugin, Input { identity, metadata, frames }: &Input) -> <ReplyPolicy as Role>::In {
        let identity = identity.as_ref().map_or(IDENTITY, |Content(identity)| identity);
        let frames = frames.iter().map(|Content(frame)| Bytes::from(frame.clone()));
        let frames = std::iter::once(Bytes::copy_from_slice(identity)).chain(frames).collect();
        plugin.input::<ReplyPolicy>(Message { metadata: metadata.clone(), frames, ..Message::default() })
    }

    fn error(expected: &Expected) -> (Option<ErrorKind>, Option<&str>) {
        (expected.error, expected.error_contains.as_deref())
    }

    fn compare(expected: &Expected, replies: Outputs) -> Result<(), String> {
        let Expected { replies_min, replies_max, delay_ms_min, delay_ms_max, frames: expected, .. } = expected;
        within("replies", replies.len(), *replies_min, *replies_max)?;
        for (index, reply) in replies.iter().enumerate() {
            within(&format!("delay_ms of reply {index}"), delay_ms(reply), *delay_ms_min, *delay_ms_max)?;
            let frames = &reply.message.frames;
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

fn delay_ms(reply: &Output) -> u64 {
    u64::try_from(reply.after.as_millis()).unwrap_or(u64::MAX)
}
