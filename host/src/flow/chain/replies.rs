//! A chain that answers requests of the broker's clients, in the place of a reply policy.

use super::{OwnedChain, Passed};
use crate::flow::message::Message;
use crate::flow::stage::{Output, Processed, Stage};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// The key under which the stages are told who asks, in hexadecimal: any bytes may be an identity.
const IDENTITY: &str = "tidegate.identity";

/// What goes into it begins with the identity of who asks, which the stages are told beside the message; what comes out are
/// the replies.
pub struct ReplyChain {
    name: String,
    chain: Arc<OwnedChain>,
}

impl ReplyChain {
    /// By this name in dead letters.
    pub fn new(name: String, chain: OwnedChain) -> Self {
        Self { name, chain: Arc::new(chain) }
    }
}

impl Stage for ReplyChain {
    fn name(&self) -> &str {
        &self.name
    }

    fn process(&self, mut message: Message, _number: u64) -> BoxFuture<'static, Processed> {
        let chain = Arc::clone(&self.chain);
        let identity = if message.frames.is_empty() { Bytes::new() } else { message.frames.remove(0) };
        message.metadata.push((IDENTITY.to_owned(), hexadecimal(&identity)));
        let trace = message.trace.clone();
        Box::pin(async move {
            // That of the request is drawn elsewhere than those of all other calls of processors.
            let number = chain.numbers.next_number();
            let Passed { met, result } = chain.process(message, number).await;
            let by = met.last().cloned();
            let at_once = |Output { mut message, .. }: Output| {
                message.trace.clone_from(&trace);
                Output { after: Duration::ZERO, message }
            };
            let result = result.map(|outputs| outputs.into_iter().map(at_once).collect()).map_err(|mut failed| {
                failed.input.metadata.retain(|(key, _)| key != IDENTITY);
                failed.input.frames.insert(0, identity);
                failed
            });
            Processed { by, result }
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{ChainBounds, Failed, Failure, Fault, OwnedLink};
    use crate::ledger::Reason;
    use smallvec::smallvec;

    /// Answers twice what it is told, later; fails at a message without frames.
    struct Twice;

    impl Stage for Twice {
        fn name(&self) -> &str {
            "twice"
        }

        fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
            let (detail, public_detail) = Default::default();
            let failure =
                Failure { reason: Reason::Failed, fault: Fault::Stage, detail, public_detail, retry_after: None };
            let result = match message.frames.is_empty() {
                true => Err(Failed { failure, input: message }),
                false => {
                    let output = Output { after: Duration::from_secs(1), message };
                    Ok(smallvec![output.clone(), output])
                }
            };
            Box::pin(async { Processed { by: None, result } })
        }
    }

    fn chain() -> ReplyChain {
        let links = vec![OwnedLink { stage: Arc::new(Twice), hop: Some(Arc::default()) }];
        let bounds = ChainBounds { messages_max: 10, bytes_max: 100 };
        let recording = Default::default();
        let chain = OwnedChain { links, numbers: Arc::default(), bounds, is_awaited: false, recording };
        ReplyChain::new("flows.f".to_owned(), chain)
    }

    fn request(frames: &[&'static [u8]]) -> Message {
        let metadata = vec![("tidegate.request-id".to_owned(), "1-2".to_owned())];
        Message { metadata, frames: frames.iter().map(|&frame| frame.into()).collect(), ..Message::default() }
    }

    #[tokio::test]
    async fn the_stages_get_what_is_asked_and_are_told_who_asks() {
        let replies = chain().process(request(&[b"\x00\xffa", b"x", b""]), 7).await.result.expect("replies");
        assert_eq!(replies.len(), 2);
        for Output { after, message } in replies {
            assert_eq!((after, &message.frames[..]), (Duration::ZERO, &["x".into(), Bytes::new()][..]));
            assert_eq!(message.metadata[1], (IDENTITY.to_owned(), "00ff61".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_request_that_fails_is_given_back_as_it_came() {
        let failed = chain().process(request(&[b"a"]), 7).await.result.expect_err("a failure");
        assert_eq!(failed.input, request(&[b"a"]));
    }
}
