//! Who records is shown what it wants, whole, and once.

use super::*;
use crate::flow::{Output, Outputs};
use crate::ledger::Reason;
use smallvec::smallvec;
use std::time::Duration;

/// Keeps those of one topic.
#[derive(Default)]
struct Kept(Mutex<Vec<Arc<Recorded>>>, Mutex<Vec<u64>>);

impl Recorder for Kept {
    fn wants(&self, subject: &Subject<'_>) -> bool {
        self.1.lock().unwrap().push(subject.mark);
        subject.topic == Some(b"t")
    }

    fn record(&self, recorded: &Arc<Recorded>) {
        self.0.lock().unwrap().push(Arc::clone(recorded));
    }
}

/// Gives back what it gets, or fails at what is `busy` or `bad`.
struct Echo;

/// The same, as a stage of the host.
struct Pool;

impl Stage for Pool {
    fn name(&self) -> &str {
        "workers.pool"
    }

    fn is_of_host(&self) -> bool {
        true
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        Echo.process(message, number)
    }
}

impl Stage for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn process(&self, message: Message, _number: u64) -> BoxFuture<'static, Processed> {
        let fault = match &*message.frames[1] {
            b"busy" => Some(Fault::Busy),
            b"bad" => Some(Fault::Stage),
            _ => None,
        };
        let failed = |fault| Failure {
            reason: Reason::Trapped,
            fault,
            detail: "why".to_owned(),
            public_detail: String::new(),
            retry_after: None,
        };
        let result = match fault {
            Some(fault) => Err(Failed { failure: failed(fault), input: message }),
            None => Ok(smallvec![Output { after: Duration::ZERO, message }] as Outputs),
        };
        Box::pin(async { Processed { by: None, result } })
    }
}

fn message(topic: &str, body: &str) -> Message {
    Message::of_topic(topic.to_owned(), vec![("k".to_owned(), "v".to_owned())], body.to_owned())
}

#[tokio::test]
async fn a_call_is_recorded_with_what_came_of_it_while_somebody_records() {
    let (recording, kept) = (Recording::default(), Arc::new(Kept::default()));
    let at = recording.at(Place::Flow("f"));
    at.call(&Echo, 0, 1, message("t", "unseen"), 1).await.result.unwrap();
    at.message(&message("t", "unseen"));
    let number = recording.begin(Arc::clone(&kept) as Arc<dyn Recorder>);
    at.call(&Echo, 1, 7, message("t", "body"), 9).await.result.unwrap();
    at.call(&Echo, 0, 7, message("other", "body"), 7).await.result.unwrap();
    at.call(&Echo, 0, 8, message("t", "bad"), 8).await.result.unwrap_err();
    at.call(&Echo, 0, 8, message("t", "busy"), 8).await.result.unwrap_err();
    at.message(&message("t", "alone"));
    recording.end(number);
    at.message(&message("t", "unseen"));

    let kept_records = kept.0.lock().unwrap().clone();
    let [well, bad, alone] = &kept_records[..] else { panic!("{kept_records:?}") };
    let call = well.call.as_ref().unwrap();
    assert_eq!((call.plugin.as_str(), call.number, call.stage), ("echo", 9, 1));
    assert_eq!(call.result.as_ref().unwrap()[0].message, message("t", "body"));
    assert_eq!((&well.frames, &well.metadata), (&message("t", "body").frames, &message("t", "body").metadata));
    assert_eq!(well.place, OwnedPlace::Flow("f".to_owned()));
    assert_eq!(bad.call.as_ref().unwrap().result, Err((Reason::Trapped, "why".to_owned())));
    assert_eq!((&alone.call, &alone.frames), (&None, &message("t", "alone").frames));
    assert!(well.bytes() > 2 * (5 + 2));
    let marks = kept.1.lock().unwrap();
    assert_eq!(marks[0], marks[1], "of one chain");
    assert_ne!(marks[0], marks[2]);
}

#[tokio::test]
async fn the_name_of_a_request_marks_all_that_is_made_of_it() {
    let (recording, kept) = (Recording::default(), Arc::new(Kept::default()));
    recording.begin(Arc::clone(&kept) as Arc<dyn Recorder>);
    for (number, id) in [(1, "a"), (2, "a"), (3, "b")] {
        let mut message = message("t", "body");
        message.metadata.push(("tidegate.request-id".to_owned(), id.to_owned()));
        recording.at(Place::Route("r")).call(&Echo, 0, number, message, number).await.result.unwrap();
    }
    let marks = kept.1.lock().unwrap();
    assert!(marks[0] == marks[1] && marks[1] != marks[2], "{marks:?}");
}

#[tokio::test]
async fn what_goes_to_a_pool_is_recorded_once_however_often_that_is_busy() {
    let (recording, kept) = (Recording::default(), Arc::new(Kept::default()));
    recording.begin(Arc::clone(&kept) as Arc<dyn Recorder>);
    let at = recording.at(Place::Flow("f"));
    for _ in 0..3 {
        at.call(&Pool, 0, 1, message("t", "busy"), 1).await.result.unwrap_err();
    }
    assert!(kept.0.lock().unwrap().is_empty());
    at.call(&Pool, 0, 1, message("t", "body"), 1).await.result.unwrap();
    at.call(&Pool, 1, 1, message("t", "body"), 2).await.result.unwrap();
    let records = kept.0.lock().unwrap();
    let [once] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&once.call, &once.frames), (&None, &message("t", "body").frames));
}
