//! Flows whose tasks run in a runtime, with stages and sinks that wait.

use super::{Executor, FlowParts, FlowSettings, FlowStage, FlowSurface};
use crate::config::{OnError, Order};
use crate::flow::mailbox::{Mailbox, Room};
use crate::flow::{
    Command, Failed, Failure, Fault, Inlet, Lost, LostMessages, Message, OfferError, Output, Processed, Receipt,
    Reserved, Sink, Stage, State, Surface, Taps,
};
use crate::ledger::{Hop, Reason};
use futures_util::future::BoxFuture;
use smallvec::smallvec;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

struct Tokio;

impl Executor for Tokio {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Returns what it gets: at once, or later and in another order; while it is busy, not at all.
#[derive(Default)]
struct Echo {
    waits: bool,
    is_busy: AtomicBool,
    fails: AtomicBool,
    calls: AtomicU64,
}

impl Stage for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = match (self.is_busy.load(Ordering::Relaxed), self.fails.load(Ordering::Relaxed)) {
            (true, _) => Some(Fault::Busy),
            (false, true) => Some(Fault::Stage),
            (false, false) => None,
        };
        let waits = self.waits;
        Box::pin(async move {
            if waits {
                tokio::time::sleep(Duration::from_millis(number * 7 % 5)).await;
            }
            let failure = |fault| Failure {
                reason: Reason::Trapped,
                fault,
                detail: "it does".to_owned(),
                public_detail: String::new(),
                retry_after: None,
            };
            let result = match fault {
                Some(fault) => Err(Failed { failure: failure(fault), input: message }),
                None => Ok(smallvec![Output { after: Duration::ZERO, message }]),
            };
            Processed { by: None, result }
        })
    }
}

/// A sink with a queue, out of which the test takes.
struct Queue(Mailbox<Message>);

impl Sink for Queue {
    fn name(&self) -> &str {
        "queue"
    }

    fn offer(&self, message: &Message) -> Result<Receipt, OfferError> {
        let pushed = self.0.push(message.bytes(), || message.clone());
        pushed.map(|()| Receipt::Placed).map_err(|error| OfferError::Full(format!("{error:?}")))
    }

    fn reserve<'a>(&'a self, _message: &'a Message) -> Result<Reserved<'a>, OfferError> {
        unreachable!("a flow waits for one sink after the other")
    }

    fn await_room(&self, bytes: usize, waker: &Waker) -> bool {
        self.0.await_room(bytes, waker)
    }
}

impl Queue {
    fn take_all(&self) -> Vec<String> {
        let mut taken: VecDeque<(Message, Room)> = VecDeque::new();
        self.0.take_all(&mut taken);
        taken.into_iter().map(|(message, _)| String::from_utf8_lossy(&message.frames[0]).into_owned()).collect()
    }
}

#[derive(Default)]
struct Letters(Mutex<Vec<Lost>>);

impl LostMessages for Letters {
    fn write(&self, lost: Lost) {
        self.0.lock().unwrap().push(lost);
    }
}

struct Running {
    flow: Arc<FlowSurface>,
    inlet: Arc<Inlet>,
    stage: Arc<Echo>,
    queue: Arc<Queue>,
    letters: Arc<Letters>,
    hop: Arc<Hop>,
}

impl Running {
    fn start(stage: Echo, on_error: OnError, queue: usize) -> Self {
        let hop = Arc::<Hop>::default();
        let inlet = Arc::new(Inlet::new("in", Arc::clone(&hop), 100, usize::MAX));
        let (stage, letters) = (Arc::new(stage), Arc::<Letters>::default());
        let queue = Arc::new(Queue(Mailbox::new(queue, usize::MAX)));
        let parts = FlowParts {
            settings: FlowSettings {
                name: "test".to_owned(),
                order: Order::Strict,
                on_error,
                in_flight_max: 16,
                in_flight_bytes_max: 1 << 20,
            },
            hop: Arc::clone(&hop),
            inlets: vec![Arc::clone(&inlet)],
            stages: vec![FlowStage { stage: Arc::clone(&stage) as Arc<dyn Stage>, hop: Arc::default() }],
            numbers: Arc::default(),
            sinks: vec![Arc::clone(&queue) as Arc<dyn Sink>],
            lost: Arc::clone(&letters) as Arc<dyn LostMessages>,
            taps: Taps::default(),
            recording: Default::default(),
            executor: Arc::new(Tokio),
        };
        let start = |task: BoxFuture<'static, Result<(), String>>| {
            let task = tokio::spawn(task);
            async move { task.await.expect("no panic").expect("no error") }
        };
        let flow = Arc::new(FlowSurface::start(parts, start));
        Self { flow, inlet, stage, queue, letters, hop }
    }

    fn send(&self, number: u64) -> bool {
        self.inlet.offer(Message::of_topic("", Vec::new(), number.to_string())).is_ok()
    }

    fn state(&self) -> State {
        self.flow.health().state
    }
}

/// Waits until it is so.
async fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it is not so after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_leave_in_order_by_a_sink_that_is_full_now_and_then() {
    for waits in [false, true] {
        let count = if waits { 200 } else { 5_000 };
        let running = Running::start(Echo { waits, ..Echo::default() }, OnError::default(), 20);
        let (mut sent, mut got) = (0, Vec::new());
        until(|| {
            while sent < count && running.send(sent) {
                sent += 1;
            }
            got.extend(running.queue.take_all());
            got.len() == count as usize
        })
        .await;
        assert!(got.iter().enumerate().all(|(index, text)| *text == index.to_string()), "{got:?}");
        let ended = Arc::clone(&running.flow).end(Instant::now() + PATIENCE).await;
        let counts = running.hop.figures();
        assert_eq!((ended, counts.entered, counts.out, counts.in_flight), (0, count, count, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_plugin_is_waited_for_and_nothing_is_lost() {
    let running = Running::start(Echo::default(), OnError::default(), 100);
    running.stage.is_busy.store(true, Ordering::Relaxed);
    (0..20).for_each(|number| assert!(running.send(number)));
    until(|| running.flow.health().obstacle.is_some_and(|obstacle| obstacle.contains("echo: it does"))).await;
    let calls = running.stage.calls.load(Ordering::Relaxed);
    assert!(calls < 200, "{calls} calls are too many for a second");
    running.stage.is_busy.store(false, Ordering::Relaxed);
    let mut got = Vec::new();
    until(|| {
        got.extend(running.queue.take_all());
        got.len() == 20
    })
    .await;
    until(|| running.flow.health().obstacle.is_none()).await;
    assert!(running.letters.0.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_pauses_resumes_and_drains() {
    let running = Running::start(Echo::default(), OnError::default(), 100);
    running.flow.command(Command::Pause).unwrap();
    until(|| running.state() == State::Paused).await;
    assert!(!running.send(0), "it is shut");
    assert!(!running.inlet.await_room(1, Waker::noop()));
    running.flow.command(Command::Resume).unwrap();
    until(|| running.send(0)).await;
    until(|| running.queue.take_all() == ["0"]).await;
    running.stage.is_busy.store(true, Ordering::Relaxed);
    assert!(running.send(1));
    running.flow.command(Command::Drain).unwrap();
    until(|| running.state() == State::Draining).await;
    running.stage.is_busy.store(false, Ordering::Relaxed);
    until(|| running.state() == State::Drained).await;
    assert_eq!(running.queue.take_all(), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stops_it_at_its_message_until_it_is_resumed() {
    let running = Running::start(Echo::default(), OnError::Stop, 100);
    running.stage.fails.store(true, Ordering::Relaxed);
    (0..3).for_each(|number| assert!(running.send(number)));
    until(|| running.flow.health().obstacle.is_some_and(|obstacle| obstacle.contains("stopped"))).await;
    assert_eq!(running.state(), State::Paused);
    running.flow.command(Command::Resume).unwrap();
    until(|| running.stage.calls.load(Ordering::Relaxed) >= 2 && running.state() == State::Paused).await;
    running.stage.fails.store(false, Ordering::Relaxed);
    let mut got = Vec::new();
    until(|| {
        running.flow.command(Command::Resume).unwrap();
        got.extend(running.queue.take_all());
        got.len() == 3
    })
    .await;
    assert_eq!(got, ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_at_the_deadline_is_abandoned() {
    let running = Running::start(Echo::default(), OnError::default(), 1);
    (0..50).for_each(|number| assert!(running.send(number)));
    until(|| running.flow.status().unwrap().counts["in_flight"] == 16).await;
    let abandoned = Arc::clone(&running.flow).end(Instant::now()).await;
    let counts = running.hop.figures();
    assert_eq!((counts.entered, counts.in_flight, abandoned), (50, 0, 50 - counts.out));
    assert_eq!(abandoned, counts.dropped(Reason::Abandoned));
    assert!(counts.out <= 1 && !running.send(50));
}
