//! A chain: several stages in a row, used as one stage.

use super::message::Message;
use super::stage::{Output, Outputs, Processed, Stage};
use futures_util::future::BoxFuture;
use smallvec::smallvec;
use std::sync::Arc;
use std::time::Duration;

/// Every message that comes out of one stage goes into the next, in order; without stages the message passes unchanged.
/// If a stage fails, the chain fails, and nothing comes out.
#[derive(Default)]
pub struct Chain {
    name: String,
    stages: Arc<[Arc<dyn Stage>]>,
}

impl Chain {
    /// Of these stages, under a name of its own.
    pub fn new(name: &str, stages: Vec<Arc<dyn Stage>>) -> Self {
        Self { name: name.to_owned(), stages: stages.into() }
    }
}

impl Stage for Chain {
    fn name(&self) -> &str {
        &self.name
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        let stages = Arc::clone(&self.stages);
        Box::pin(async move {
            let (mut outputs, mut by): (Outputs, _) = (smallvec![Output { after: Duration::ZERO, message }], None);
            for stage in &*stages {
                let (mut made, mut after) = (Outputs::new(), Duration::ZERO);
                for output in outputs {
                    // The delay of a message that yields nothing is added to that of the next one.
                    after += output.after;
                    let processed = stage.process(output.message, number).await;
                    by = processed.by;
                    match processed.result {
                        Ok(outputs) => made.extend(outputs.into_iter().map(|output| {
                            let after = std::mem::take(&mut after) + output.after;
                            Output { after, ..output }
                        })),
                        Err(failed) => return Processed { by, result: Err(failed) },
                    }
                }
                outputs = made;
            }
            Processed { by, result: Ok(outputs) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::stage::{Failed, Failure, Fault};
    use crate::ledger::Reason;

    /// Makes as many messages as the first frame has bytes, each a frame shorter, and fails at an empty one.
    struct Counting;

    impl Stage for Counting {
        fn name(&self) -> &str {
            "counting"
        }

        fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
            let count = message.frames.first().map_or(0, |frame| frame.len());
            let failure = |input| Failed {
                failure: Failure {
                    reason: Reason::Rejected,
                    fault: Fault::Sender,
                    detail: String::new(),
                    public_detail: String::new(),
                    retry_after: None,
                },
                input,
            };
            let result = match message.frames.is_empty() {
                true => Err(failure(message)),
                false => Ok((0..count)
                    .map(|index| Output {
                        after: Duration::from_secs(index as u64 + 1),
                        message: Message { frames: message.frames[1..].into(), ..Message::default() },
                    })
                    .collect()),
            };
            Box::pin(async { Processed { by: None, result } })
        }
    }

    fn message(frames: &[&'static str]) -> Message {
        Message { frames: frames.iter().map(|&frame| frame.into()).collect(), ..Message::default() }
    }

    async fn waits(stages: usize, frames: &[&'static str]) -> Option<Vec<u64>> {
        let chain = Chain::new("", (0..stages).map(|_| Arc::new(Counting) as Arc<dyn Stage>).collect());
        let processed = chain.process(message(frames), 1).await;
        processed.result.ok().map(|outputs| outputs.iter().map(|output| output.after.as_secs()).collect())
    }

    #[tokio::test]
    async fn what_comes_out_of_a_stage_goes_into_the_next_one() {
        assert_eq!(waits(0, &["x"]).await, Some(vec![0]));
        assert_eq!(waits(1, &["xx", "y"]).await, Some(vec![1, 2]));
        // Of each of the two, three; the waits before them add up.
        assert_eq!(waits(2, &["xx", "yyy"]).await, Some(vec![2, 2, 3, 3, 2, 3]));
        assert_eq!(waits(2, &["xx", ""]).await, Some(vec![]));
        assert_eq!(waits(2, &["xx"]).await, None, "the second fails");
        assert_eq!(waits(2, &["", "x"]).await, Some(vec![]), "nothing goes into the second");
    }
}
