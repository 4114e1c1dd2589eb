//! The task of a flow: takes messages from the inlets, polls the calls, and waits for room at the sinks.

use super::control::{FlowControl, Orders, Progress};
use super::core::{Call, Delivery, FlowCore};
use super::item::Ended;
use super::parts::{Executor, FlowParts};
use crate::flow::call_time_estimate::CallTimeEstimate;
use crate::flow::mailbox::Mailbox;
use crate::flow::sink::Arrival;
use crate::flow::{Inlet, LostMessages, Place, Recording, State};
use crate::ledger::Reason;
use futures_util::future::{AbortHandle, BoxFuture, abortable};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// After so long in one go the task lets others have the thread.
const TURN_MAX: Duration = Duration::from_micros(500);
/// For so long a plugin may be busy before that is reported as an obstacle.
const BUSY_QUIET: Duration = Duration::from_secs(1);

/// All that the task of a flow owns. As a future it completes when the flow was told to end, and has.
pub(super) struct FlowRunner {
    name: String,
    core: FlowCore,
    recording: Recording,
    inlets: Vec<Arc<Inlet>>,
    /// The inlet that is asked first.
    next_inlet: usize,
    control: Arc<FlowControl>,
    orders: Orders,
    lost: Arc<dyn LostMessages>,
    executor: Arc<dyn Executor>,
    /// The results of calls that run elsewhere.
    ended: Arc<Mailbox<Ended>>,
    /// Those calls, by their items.
    running: HashMap<usize, AbortHandle>,
    /// How long the calls of each stage take.
    estimates: Vec<CallTimeEstimate>,
    arrivals: FuturesUnordered<BoxFuture<'static, (usize, Result<(), Reason>)>>,
    timer: Option<(Instant, BoxFuture<'static, ()>)>,
}

impl FlowRunner {
    pub(super) fn new(parts: FlowParts, control: Arc<FlowControl>) -> Self {
        let FlowParts { settings, hop: _, inlets, stages, numbers, sinks, lost, taps, recording, executor } = parts;
        let name = settings.name.clone();
        let (next_inlet, orders, running, arrivals, timer) = Default::default();
        let ended = Arc::new(Mailbox::new(settings.in_flight_max, usize::MAX));
        let estimates = stages.iter().map(|_| CallTimeEstimate::new()).collect();
        let core = FlowCore::new(settings, stages, numbers, sinks, taps);
        Self {
            name,
            core,
            recording,
            inlets,
            next_inlet,
            control,
            orders,
            lost,
            executor,
            ended,
            running,
            estimates,
            arrivals,
            timer,
        }
    }

    fn take_orders(&mut self) {
        let Some(orders) = self.control.take_orders() else { return };
        if orders.is_resumed {
            self.core.resume();
        }
        self.inlets.iter().for_each(|inlet| inlet.shut(orders.is_shut));
        if orders.end.is_some() {
            self.inlets.iter().for_each(|inlet| inlet.close());
        }
        self.orders = orders;
    }

    /// Takes in the results of calls that ran elsewhere, and what has arrived. Returns whether there were any.
    fn take_results(&mut self, context: &mut Context<'_>, now: Instant) -> bool {
        let mut any = false;
        // Most calls end where they began, and then nobody is asked.
        while !self.running.is_empty()
            && let Poll::Ready(Some((ended, _room))) = self.ended.poll_take(context)
        {
            self.running.remove(&ended.item);
            self.end_call(ended, now);
            any = true;
        }
        while let Poll::Ready(Some((item, result))) = self.arrivals.poll_next_unpin(context) {
            self.core.arrived(item, result);
            any = true;
        }
        any
    }

    fn end_call(&mut self, Ended { item, index, processed, took }: Ended, now: Instant) {
        self.estimates[index].note(took);
        self.core.call_ended(item, index, processed, now);
        while let Some(lost) = self.core.next_lost() {
            self.lost.write(lost);
        }
    }

    /// Makes a call, here if it is short.
    fn call(&mut self, call: Call, context: &mut Context<'_>) {
        let Call { item, index, stage, message, number, first_number } = call;
        let recorded = self.recording.at(Place::Flow(&self.name));
        let mut processing = recorded.call(&*stage, index, first_number, message, number);
        let began = Instant::now();
        if self.estimates[index].is_short()
            && let Poll::Ready(processed) = processing.as_mut().poll(context)
        {
            let now = Instant::now();
            return self.end_call(Ended { item, index, processed, took: now - began }, now);
        }
        let ended = Arc::clone(&self.ended);
        let (task, abort) = abortable(async move {
            let processed = processing.await;
            let took = began.elapsed();
            // There is room for the result of each call that may run.
            let _ = ended.push(0, || Ended { item, index, processed, took });
        });
        self.running.insert(item, abort);
        self.executor.spawn(task.map(drop).boxed());
    }

    /// Waits for what sinks confirm later. Returns whether there is something new.
    fn await_arrivals(&mut self) -> bool {
        let mut any = false;
        for (item, arrivals) in self.core.take_arriving() {
            let all = async move {
                let mut result = Ok(());
                for arrival in arrivals {
                    let arrival: Arrival = arrival;
                    result = result.and(arrival.await);
                }
                (item, result)
            };
            self.arrivals.push(all.boxed());
            any = true;
        }
        any
    }

    /// The next message of any inlet, in turn. Whether all inlets have ended, if there is none.
    fn take_in(&mut self, context: &mut Context<'_>) -> Result<(), bool> {
        let (count, mut have_ended) = (self.inlets.len(), true);
        for _ in 0..count {
            let inlet = &self.inlets[self.next_inlet % count];
            self.next_inlet = (self.next_inlet + 1) % count;
            match inlet.poll_take(context) {
                Poll::Ready(Some(entered)) => {
                    if self.estimates.is_empty() {
                        self.recording.at(Place::Flow(&self.name)).message(&entered.message);
                    }
                    self.core.receive(entered);
                    return Ok(());
                }
                Poll::Ready(None) => {}
                Poll::Pending => have_ended = false,
            }
        }
        Err(have_ended)
    }

    /// Does what can be done. Returns whether the flow has ended.
    fn turn(&mut self, context: &mut Context<'_>, began: Instant) -> Turn {
        let mut now = began;
        loop {
            let mut is_active = self.take_results(context, now);
            let blocked = match self.core.deliver() {
                Delivery::Done => false,
                Delivery::Blocked(sink, bytes) => {
                    let has_room = sink.await_room(bytes, context.waker());
                    is_active |= has_room;
                    !has_room
                }
            };
            // Nobody wakes the task for one that was never polled.
            is_active |= self.await_arrivals();
            if let Some(call) = self.core.next_call(now) {
                self.call(call, context);
                is_active = true;
            }
            let have_inlets_ended = match self.core.has_room() {
                true => match self.take_in(context) {
                    Ok(()) => {
                        is_active = true;
                        false
                    }
                    Err(have_ended) => have_ended,
                },
                false => false,
            };
            if !is_active {
                let is_empty = have_inlets_ended && self.core.in_flight() == 0;
                return if is_empty && !blocked { Turn::Empty } else { Turn::Waits };
            }
            now = Instant::now();
            if now - began >= TURN_MAX {
                return Turn::Yields;
            }
        }
    }

    /// Has the task woken when something is due.
    fn set_timer(&mut self, context: &mut Context<'_>) -> bool {
        let due = self.core.due().into_iter().chain(self.orders.end).min();
        let Some(due) = due else {
            self.timer = None;
            return false;
        };
        if self.timer.as_ref().is_none_or(|(at, _)| *at != due) {
            let wait = due.saturating_duration_since(Instant::now());
            self.timer = Some((due, self.executor.sleep(wait)));
        }
        let is_due = self.timer.as_mut().is_some_and(|(_, timer)| timer.as_mut().poll(context).is_ready());
        if is_due {
            self.timer = None;
        }
        is_due
    }

    fn report(&self, now: Instant) {
        let waiting: usize = self.inlets.iter().map(|inlet| inlet.len()).sum();
        let in_flight = self.core.in_flight();
        let state = match self.orders {
            Orders { is_draining: true, .. } if waiting == 0 && in_flight == 0 => State::Drained,
            Orders { is_draining: true, .. } => State::Draining,
            Orders { is_shut: true, .. } => State::Paused,
            _ if self.core.stopped().is_some() => State::Paused,
            _ => State::Running,
        };
        let stopped = || self.core.stopped().map(|why| format!("it stopped at a message: {why}"));
        let busy = || {
            let (since, why) = self.core.busy()?;
            (now.saturating_duration_since(*since) >= BUSY_QUIET).then(|| why.clone())
        };
        let mut progress = self.control.progress();
        if (progress.state, progress.in_flight) != (state, in_flight)
            || progress.obstacle.is_some()
            || self.core.stopped().is_some()
            || self.core.busy().is_some()
        {
            *progress = Progress { state, in_flight, obstacle: stopped().or_else(busy) };
        }
    }
}

/// How a turn ended.
enum Turn {
    /// There is more to do.
    Yields,
    /// Nothing can be done until something happens.
    Waits,
    /// The flow is empty, and nothing more comes.
    Empty,
}

impl Future for FlowRunner {
    type Output = Result<(), String>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.control.waker.register(context.waker());
        this.take_orders();
        let now = Instant::now();
        let turn = this.turn(context, now);
        this.report(now);
        let is_over = match turn {
            Turn::Empty => this.orders.end.is_some(),
            Turn::Yields | Turn::Waits => this.orders.end.is_some_and(|end| Instant::now() >= end),
        };
        if is_over {
            return Poll::Ready(Ok(()));
        }
        if matches!(turn, Turn::Yields) || this.set_timer(context) {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for FlowRunner {
    fn drop(&mut self) {
        self.inlets.iter().for_each(|inlet| inlet.close());
        self.running.values().for_each(AbortHandle::abort);
        // What waits in an inlet is abandoned with it, whoever still holds that.
        let mut context = Context::from_waker(std::task::Waker::noop());
        for inlet in &self.inlets {
            while let Poll::Ready(Some(_abandoned)) = inlet.poll_take(&mut context) {}
        }
    }
}
