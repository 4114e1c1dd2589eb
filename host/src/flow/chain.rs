//! A chain: several stages in a row, for somebody who waits for what comes out of the last one.

mod replies;
mod streaming;

pub use replies::ReplyChain;
pub use streaming::{OwnedChain, OwnedLink, PassedOn};

use super::message::{Message, Metadata};
use super::met::Met;
use super::recording::RecordedAt;
use super::stage::{Failed, Failure, Fault, Output, Outputs, Processed, Stage};
use crate::ledger::{Hop, Passage, Reason};
use smallvec::smallvec;
use std::time::Duration;

/// Every message that comes out of one stage goes into the next, in order; without stages the message passes unchanged.
/// If a stage fails, the chain fails, and nothing comes out.
pub struct Chain<'a> {
    /// The stages with their hops.
    pub links: &'a [Link<'a>],
    /// Numbers the calls, of which each stage may have several.
    pub numbers: &'a Hop,
    /// What may come out of all calls of a stage together.
    pub bounds: ChainBounds,
    /// Whether a client waits, who may go.
    pub is_awaited: bool,
    /// Where its calls are recorded.
    pub recorded: RecordedAt<'a>,
}

/// A stage of a chain.
pub struct Link<'a> {
    /// What processes the messages.
    pub stage: &'a dyn Stage,
    /// Counts them, where the chain has more than one stage.
    pub hop: Option<&'a Hop>,
}

/// How far a chain may multiply what goes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainBounds {
    /// Messages between two stages, or behind the last.
    pub messages_max: usize,
    /// Their bytes.
    pub bytes_max: usize,
}

/// The result of a chain.
#[derive(Debug)]
pub struct Passed {
    /// What was called.
    pub met: Met,
    /// What came out of the last stage; if one failed, why, with what went into the chain.
    pub result: Result<Outputs, Failed>,
}

impl Chain<'_> {
    /// Has the stages process a message, which has this `number` at its hop: for the first stage it is the call's.
    pub async fn process(&self, message: Message, number: u64) -> Passed {
        // Of a chain of one there is nothing to keep, and nothing to add to the bounds of the one call.
        if let [Link { stage, hop: None }] = self.links {
            let Processed { by, result } = self.recorded.call(*stage, 0, number, message, number).await;
            let mut met = Met::default();
            met.note(*stage, by);
            return Passed { met, result };
        }
        // Boxed: otherwise the future of a chain of one, which most are, would be as large.
        Box::pin(self.pass_all(message, number)).await
    }

    async fn pass_all(&self, message: Message, number: u64) -> Passed {
        let (input, mut met) = (message.clone(), Met::default());
        let result = self.pass_on(0, at_once(message), number, &mut met).await;
        Passed { met, result: result.map_err(|failure| Failed { failure, input }) }
    }

    /// Has the stages from this index on process messages. The first call of the whole chain has, or had, this number.
    async fn pass_on(
        &self,
        from: usize,
        mut messages: Outputs,
        first_number: u64,
        met: &mut Met,
    ) -> Result<Outputs, Failure> {
        for index in from..self.links.len() {
            messages = self.pass(index, messages, first_number, met).await?;
        }
        Ok(messages)
    }

    /// Has one stage process what came out of the one before it; the first, the one message that has this number.
    async fn pass(&self, index: usize, inputs: Outputs, first_number: u64, met: &mut Met) -> Result<Outputs, Failure> {
        let link = &self.links[index];
        let (mut made, mut bytes, mut after) = (Outputs::new(), 0_usize, Duration::ZERO);
        for input in inputs {
            // The delay of a message that yields nothing is added to that of the next one.
            after += input.after;
            let of_host = self.host_pairs_behind(index, &input.message);
            let passage = self.enter(link.hop);
            let number = self.number(index, first_number);
            let calling = self.recorded.call(link.stage, index, first_number, input.message, number);
            let Processed { by, result } = calling.await;
            met.note(link.stage, by);
            let mut outputs = match result {
                Ok(outputs) => outputs,
                Err(Failed { failure, .. }) => return Err(dropped(passage, failure)),
            };
            if let Some(of_host) = of_host {
                outputs.iter_mut().for_each(|output| output.message.keep_host_pairs(&of_host));
            }
            bytes += outputs.iter().map(|output| output.message.bytes()).sum::<usize>();
            if let Some(over) = self.bounds.exceeded_by(made.len() + outputs.len(), bytes) {
                return Err(dropped(passage, too_much(link.stage.name(), &over)));
            }
            passage.into_iter().for_each(Passage::out);
            made.extend(outputs.into_iter().map(|output| {
                let after = std::mem::take(&mut after) + output.after;
                Output { after, ..output }
            }));
        }
        Ok(made)
    }

    /// What the next stage is to be told by the host, whatever a plugin says: what this one was told. None if no stage comes
    /// next, or this one is the host's.
    fn host_pairs_behind(&self, index: usize, input: &Message) -> Option<Metadata> {
        let has_next = index + 1 < self.links.len();
        (has_next && !self.links[index].stage.is_of_host()).then(|| input.host_pairs())
    }

    /// The number of the next call of a stage.
    fn number(&self, index: usize, first_number: u64) -> u64 {
        if index == 0 { first_number } else { self.numbers.next_number() }
    }

    fn enter(&self, hop: Option<&Hop>) -> Option<Passage> {
        let passage = hop?.enter();
        Some(if self.is_awaited { passage.of_client() } else { passage })
    }
}

fn at_once(message: Message) -> Outputs {
    smallvec![Output { after: Duration::ZERO, message }]
}

impl ChainBounds {
    fn exceeded_by(self, messages: usize, bytes: usize) -> Option<String> {
        let Self { messages_max, bytes_max } = self;
        if messages > messages_max {
            Some(format!("{messages} messages, over the {messages_max} that a stage of a chain may return"))
        } else if bytes > bytes_max {
            Some(format!("{bytes} bytes, over the largest output_bytes_max of the chain {bytes_max}"))
        } else {
            None
        }
    }
}

fn dropped(passage: Option<Passage>, failure: Failure) -> Failure {
    passage.into_iter().for_each(|passage| passage.dropped(failure.reason));
    failure
}

fn too_much(stage: &str, over: &str) -> Failure {
    let detail = format!("what {stage} returned for all messages of one is {over}");
    let (reason, fault) = (Reason::OverOutput, Fault::Stage);
    Failure { reason, fault, public_detail: detail.clone(), detail, retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Place, Recorded, Recorder, Recording, ServedBy, Subject};
    use futures_util::future::BoxFuture;
    use std::sync::{Arc, Mutex};

    /// Makes as many messages as the first frame has bytes, each a frame shorter, and fails at an empty one.
    #[derive(Default)]
    struct Counting(Mutex<Vec<u64>>);

    impl Stage for Counting {
        fn name(&self) -> &str {
            "counting"
        }

        fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
            self.0.lock().unwrap().push(number);
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
            let by = ServedBy { plugin: "counting".to_owned(), generation: 1, ..ServedBy::default() };
            Box::pin(async { Processed { by: Some(by.into()), result } })
        }
    }

    /// What tells apart the chains that calls are of.
    #[derive(Default)]
    struct Marks(Mutex<Vec<u64>>);

    impl Recorder for Marks {
        fn wants(&self, subject: &Subject<'_>) -> bool {
            self.0.lock().unwrap().push(subject.mark);
            false
        }
        fn record(&self, _recorded: &Arc<Recorded>) {}
    }

    fn message(frames: &[&'static str]) -> Message {
        Message { frames: frames.iter().map(|&frame| frame.into()).collect(), ..Message::default() }
    }

    const BOUNDS: ChainBounds = ChainBounds { messages_max: 10, bytes_max: 100 };

    async fn pass(stages: usize, frames: &[&'static str], bounds: ChainBounds) -> (Passed, Arc<Hop>, Vec<u64>) {
        let (hop, stage) = (Arc::<Hop>::default(), Counting::default());
        let links: Vec<_> = (0..stages).map(|_| Link { stage: &stage, hop: (stages > 1).then_some(&*hop) }).collect();
        let numbers = Hop::default();
        let first = numbers.next_number();
        let (recording, marks) = (Recording::default(), Arc::new(Marks::default()));
        recording.begin(Arc::clone(&marks) as Arc<dyn Recorder>);
        let recorded = recording.at(Place::Flow("f"));
        let chain = Chain { links: &links, numbers: &numbers, bounds, is_awaited: true, recorded };
        let passed = chain.process(message(frames), first).await;
        // Whoever takes a share of the messages takes all calls of a chain, or none.
        let marks = marks.0.lock().unwrap();
        assert!(marks.iter().all(|mark| *mark == marks[0]), "{marks:?}");
        drop(links);
        (passed, hop, stage.0.into_inner().unwrap())
    }

    async fn waits(stages: usize, frames: &[&'static str]) -> Option<Vec<u64>> {
        let (passed, ..) = pass(stages, frames, BOUNDS).await;
        passed.result.ok().map(|outputs| outputs.iter().map(|output| output.after.as_secs()).collect())
    }

    #[tokio::test]
    async fn what_comes_out_of_a_stage_goes_into_the_next_one() {
        assert_eq!(waits(0, &["x"]).await, Some(vec![0]));
        assert_eq!(waits(1, &["xx", "y"]).await, Some(vec![1, 2]));
        // Of each of the two, three; the waits before them add up.
        assert_eq!(waits(2, &["xx", "yyy"]).await, Some(vec![2, 2, 3, 3, 2, 3]));
        assert_eq!(waits(2, &["xx", ""]).await, Some(vec![]));
        assert_eq!(waits(2, &["", "x"]).await, Some(vec![]), "nothing goes into the second");
    }

    #[tokio::test]
    async fn each_call_has_a_number_of_its_own_and_is_counted_at_its_stage() {
        let (passed, hop, numbers) = pass(3, &["xx", "yy", "z"], BOUNDS).await;
        assert_eq!((passed.met.to_string().as_str(), numbers), ("counting@1", vec![1, 2, 3, 4, 5, 6, 7]));
        assert_eq!((hop.figures().entered, hop.figures().out, hop.figures().in_flight), (7, 7, 0));
    }

    #[tokio::test]
    async fn a_chain_fails_as_a_whole_and_gives_back_what_went_into_it() {
        let (passed, hop, _) = pass(2, &["xx"], BOUNDS).await;
        let failed = passed.result.expect_err("the second fails");
        assert_eq!((failed.failure.reason, failed.input), (Reason::Rejected, message(&["xx"])));
        assert_eq!((hop.figures().out, hop.figures().dropped(Reason::Rejected), hop.figures().in_flight), (1, 1, 0));
    }

    #[tokio::test]
    async fn a_chain_multiplies_within_its_bounds() {
        let detail = async |bounds| {
            let (passed, hop, _) = pass(2, &["xxxx", "yyy", "zz"], bounds).await;
            assert_eq!(hop.figures().in_flight, 0);
            passed.result.map_err(|failed| (failed.failure.reason, failed.failure.detail)).map(|outputs| outputs.len())
        };
        assert_eq!(detail(ChainBounds { messages_max: 12, bytes_max: 24 }).await, Ok(12));
        let (reason, text) = detail(ChainBounds { messages_max: 11, bytes_max: 24 }).await.expect_err("too many");
        assert_eq!(reason, Reason::OverOutput);
        assert!(text.contains("counting") && text.contains("12 messages, over the 11"), "{text}");
        let (_, text) = detail(ChainBounds { messages_max: 12, bytes_max: 23 }).await.expect_err("too large");
        assert!(text.contains("24 bytes") && text.contains("output_bytes_max of the chain 23"), "{text}");
    }
}
