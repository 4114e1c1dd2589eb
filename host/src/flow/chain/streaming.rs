//! A chain that owns its stages, and so can pass on what comes out of one of them later than the rest.

use super::{Chain, ChainBounds, Link, Passed, at_once, dropped, too_much};
use crate::flow::message::Message;
use crate::flow::met::Met;
use crate::flow::recording::{OwnedPlace, RecordedAt, Recording};
use crate::flow::stage::{Failed, Failure, Further, Output, Outputs, Processed, Stage, Streamed};
use crate::ledger::{Hop, Passage};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

/// As [`Chain`], for who keeps it.
pub struct OwnedChain {
    /// The stages with their hops.
    pub links: Vec<OwnedLink>,
    /// Numbers the calls, of which each stage may have several.
    pub numbers: Arc<Hop>,
    /// What may come out of all calls of a stage together.
    pub bounds: ChainBounds,
    /// Whether a client waits, who may go.
    pub is_awaited: bool,
    /// Where its calls are recorded, and as those of what.
    pub recording: (Recording, OwnedPlace),
}

/// A stage of it.
pub struct OwnedLink {
    /// What processes the messages.
    pub stage: Arc<dyn Stage>,
    /// Counts them.
    pub hop: Option<Arc<Hop>>,
}

/// What has come out of a chain so far.
pub struct PassedOn {
    /// That, or the failure.
    pub first: Passed,
    /// What comes out of it later, in order; none if that was all. After a failure nothing comes.
    pub further: Option<BoxStream<'static, Passed>>,
}

/// A stage of a chain of which more is to come.
struct Begun {
    index: usize,
    first: u64,
    further: Further,
    /// Ends with the last message that comes out of it.
    passage: Option<Passage>,
    /// What was called up to it.
    met: Met,
}

/// What is still to come out of a chain.
struct Rest {
    chain: Arc<OwnedChain>,
    begun: Begun,
    /// What went into the chain.
    input: Message,
}

impl OwnedChain {
    /// As [`Chain::process`].
    pub async fn process(&self, message: Message, number: u64) -> Passed {
        self.borrowed(&self.borrowed_links()).process(message, number).await
    }

    /// As [`Self::process`], but passes on what comes out of a stage of the host's own before all of it has, where that stage is
    /// reached by one message.
    pub async fn stream(self: Arc<Self>, message: Message, number: u64) -> PassedOn {
        let (input, mut met) = (message.clone(), Met::default());
        match self.begin(message, number, &mut met).await {
            Ok((outputs, begun)) => {
                let first = Passed { met, result: Ok(outputs) };
                let rest = begun.map(|begun| Rest { chain: self, begun, input });
                PassedOn { first, further: rest.map(Rest::into_stream) }
            }
            Err(failure) => PassedOn { first: Passed { met, result: Err(Failed { failure, input }) }, further: None },
        }
    }

    /// Has the stages process a message, up to the first of which more is to come, and what has come out of that go through
    /// those behind it.
    async fn begin(&self, message: Message, first: u64, met: &mut Met) -> Result<(Outputs, Option<Begun>), Failure> {
        let links = self.borrowed_links();
        let chain = self.borrowed(&links);
        let mut messages = at_once(message);
        for (index, OwnedLink { stage, hop }) in self.links.iter().enumerate() {
            let only = if messages.len() == 1 && stage.is_of_host() { messages.pop() } else { None };
            let Some(Output { message, .. }) = only else {
                messages = chain.pass(index, messages, first, met).await?;
                continue;
            };
            let held = (index == 0).then(|| self.recorded().hold(&message, None, || first)).flatten();
            let passage = chain.enter(hop.as_deref());
            let number = chain.number(index, first);
            let Streamed { first: processed, further } = stage.stream(message, number).await;
            held.into_iter().for_each(|held| held.record_unless_busy(&processed));
            let Processed { by, result } = processed;
            met.note(&**stage, by);
            let outputs = match result {
                Ok(outputs) => outputs,
                Err(Failed { failure, .. }) => return Err(dropped(passage, failure)),
            };
            let bytes = outputs.iter().map(|output| output.message.bytes()).sum();
            if let Some(over) = self.bounds.exceeded_by(outputs.len(), bytes) {
                return Err(dropped(passage, too_much(stage.name(), &over)));
            }
            let Some(further) = further else {
                passage.into_iter().for_each(Passage::out);
                messages = outputs;
                continue;
            };
            let met_before = met.clone();
            return match chain.pass_on(index + 1, outputs, first, met).await {
                Ok(outputs) => Ok((outputs, Some(Begun { index, first, further, passage, met: met_before }))),
                Err(failure) => Err(dropped(passage, failure)),
            };
        }
        Ok((messages, None))
    }

    fn borrowed_links(&self) -> SmallVec<[Link<'_>; 4]> {
        self.links.iter().map(|OwnedLink { stage, hop }| Link { stage: &**stage, hop: hop.as_deref() }).collect()
    }

    fn borrowed<'a>(&'a self, links: &'a [Link<'a>]) -> Chain<'a> {
        let (bounds, is_awaited, recorded) = (self.bounds, self.is_awaited, self.recorded());
        Chain { links, numbers: &self.numbers, bounds, is_awaited, recorded }
    }

    fn recorded(&self) -> RecordedAt<'_> {
        let (recording, place) = &self.recording;
        recording.at(place.borrowed())
    }
}

impl Rest {
    fn into_stream(self) -> BoxStream<'static, Passed> {
        unfold(Some(self), async |rest| rest?.next().await).boxed()
    }

    /// What comes out of the chain next; with what is left, unless it has failed.
    async fn next(mut self) -> Option<(Passed, Option<Self>)> {
        let Some(made) = self.begun.further.next().await else {
            self.begun.passage.into_iter().for_each(Passage::out);
            return None;
        };
        let (mut met, from, first) = (self.begun.met.clone(), self.begun.index + 1, self.begun.first);
        let made = match made {
            Ok(output) => {
                let links = self.chain.borrowed_links();
                let chain = self.chain.borrowed(&links);
                chain.pass_on(from, smallvec![output], first, &mut met).await
            }
            Err(Failed { failure, .. }) => Err(failure),
        };
        Some(match made {
            Ok(outputs) => (Passed { met, result: Ok(outputs) }, Some(self)),
            Err(failure) => {
                let (failure, input) = (dropped(self.begun.passage, failure), self.input);
                (Passed { met, result: Err(Failed { failure, input }) }, None)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::ServedBy;
    use crate::flow::stage::Fault;
    use crate::ledger::Reason;
    use futures_util::future::BoxFuture;
    use futures_util::stream;
    use std::time::Duration;

    /// Of the host: gives each frame of a message as one of its own, the first at once, and fails at `!`. Others append
    /// their name, and keep what is empty.
    struct Stages(&'static str);

    fn output(frame: &[u8], attempt: &str) -> Output {
        let metadata = vec![("tidegate.attempt".to_owned(), attempt.to_owned())];
        Output { after: Duration::ZERO, message: Message::of_topic("", metadata, frame.to_vec()) }
    }

    fn failed(input: Message) -> Failed {
        let (detail, public_detail) = Default::default();
        let failure =
            Failure { reason: Reason::WorkerLost, fault: Fault::Stage, detail, public_detail, retry_after: None };
        Failed { failure, input }
    }

    impl Stage for Stages {
        fn name(&self) -> &str {
            self.0
        }

        fn is_of_host(&self) -> bool {
            self.0 == "workers.w"
        }

        fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
            if self.is_of_host() {
                let all = message.frames.iter().map(|frame| output(frame, "2")).collect();
                return Box::pin(async { Processed { by: None, result: Ok(all) } });
            }
            let attempt = message.metadata.iter().map(|(_, value)| value.as_str()).collect::<String>();
            let body = [&message.frames[0][..], self.0.as_bytes(), attempt.as_bytes()].concat();
            let result = match &message.frames[0][..] {
                b"?" => Err(failed(message)),
                b"" => Ok(Outputs::new()),
                _ => Ok(smallvec![output(&body, "forged")]),
            };
            let by = ServedBy { plugin: self.0.to_owned(), generation: 1, ..ServedBy::default() };
            Box::pin(async { Processed { by: Some(by.into()), result } })
        }

        fn stream(&self, message: Message, _number: u64) -> BoxFuture<'static, Streamed> {
            let mut frames = message.frames.clone().into_iter();
            let result = Ok(smallvec![output(&frames.next().unwrap_or_default(), "2")]);
            let mut rest: Vec<Result<Output, Failed>> = Vec::new();
            for frame in frames {
                rest.push(if frame == "!" { Err(failed(message.clone())) } else { Ok(output(&frame, "2")) });
            }
            let further: Further = stream::iter(rest).boxed();
            Box::pin(async { Streamed { first: Processed { by: None, result }, further: Some(further) } })
        }
    }

    fn chain(names: &[&'static str]) -> (Arc<OwnedChain>, Vec<Arc<Hop>>) {
        let hops: Vec<_> = names.iter().map(|_| Arc::<Hop>::default()).collect();
        let link = |(name, hop): (&&'static str, &Arc<Hop>)| OwnedLink {
            stage: Arc::new(Stages(name)),
            hop: Some(Arc::clone(hop)),
        };
        let links = names.iter().zip(&hops).map(link).collect();
        let bounds = ChainBounds { messages_max: 10, bytes_max: 100 };
        let recording = Default::default();
        (Arc::new(OwnedChain { links, numbers: Arc::default(), bounds, is_awaited: true, recording }), hops)
    }

    fn message(frames: &[&'static str]) -> Message {
        Message { frames: frames.iter().map(|&frame| frame.into()).collect(), ..Message::default() }
    }

    fn bodies(passed: &Passed) -> Result<Vec<String>, Reason> {
        let outputs = passed.result.as_ref().map_err(|failed| failed.failure.reason)?;
        Ok(outputs.iter().map(|output| String::from_utf8_lossy(&output.message.frames[0]).into_owned()).collect())
    }

    fn texts(bodies: &[&str]) -> Result<Vec<String>, Reason> {
        Ok(bodies.iter().map(|&body| body.to_owned()).collect())
    }

    #[tokio::test]
    async fn each_part_goes_through_the_rest_as_it_comes() {
        let (chain, hops) = chain(&["workers.w", "a", "b"]);
        let PassedOn { first, further } = Arc::clone(&chain).stream(message(&["x", "", "y"]), 1).await;
        // What the host says passes a plugin that says it too.
        assert_eq!(bodies(&first), texts(&["xa2b2"]));
        assert_eq!(hops[0].figures().in_flight, 1);
        let further: Vec<_> = further.expect("more").collect().await;
        assert_eq!(further.iter().map(bodies).collect::<Vec<_>>(), [texts(&[]), texts(&["ya2b2"])]);
        assert_eq!(further[1].met.to_string(), "workers.w → a@1 → b@1");
        let counts = hops.iter().map(|hop| (hop.figures().entered, hop.figures().out)).collect::<Vec<_>>();
        assert_eq!(counts, [(1, 1), (3, 3), (2, 2)]);
        // Gathered, all comes at once.
        assert_eq!(bodies(&chain.process(message(&["x", "y"]), 1).await), texts(&["xa2b2", "ya2b2"]));
    }

    #[tokio::test]
    async fn what_fails_later_ends_the_rest_and_gives_back_what_came_in() {
        for (frames, reason) in [(["x", "!", "y"], Reason::WorkerLost), (["x", "?", "y"], Reason::WorkerLost)] {
            let (chain, hops) = chain(&["workers.w", "a"]);
            let PassedOn { further, .. } = chain.stream(message(&frames), 1).await;
            let further: Vec<_> = further.expect("more").collect().await;
            assert_eq!(further.iter().map(bodies).collect::<Vec<_>>(), [Err(reason)]);
            let failed = further.into_iter().next().and_then(|passed| passed.result.err()).expect("a failure");
            assert_eq!(failed.input, message(&frames));
            for hop in hops {
                assert_eq!((hop.figures().in_flight, hop.figures().balanced()), (0, true));
            }
        }
        let (chain, hops) = chain(&["workers.w", "a"]);
        let PassedOn { first, further } = chain.stream(message(&["?", "y"]), 1).await;
        assert!(further.is_none() && first.result.is_err());
        assert_eq!(hops[0].figures().dropped(Reason::WorkerLost), 1);
    }

    #[tokio::test]
    async fn who_goes_gives_up_what_is_still_to_come() {
        let (chain, hops) = chain(&["a", "workers.w"]);
        let PassedOn { further, .. } = chain.stream(message(&["x", "y"]), 1).await;
        drop(further);
        assert_eq!((hops[0].figures().out, hops[1].figures().dropped(Reason::ClientGone)), (1, 1));
    }
}
