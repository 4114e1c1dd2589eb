//! The pools of workers of a host, by name, as steps of flows and routes: one that is changed gives way to another while
//! they go on.

use crate::config::{WorkerPool, pool_of, step_of};
use crate::flow::{Failed, Failure, Fault, Message, Processed, Stage, Streamed};
use crate::http::route::HostStage;
use crate::ledger::Reason;
use crate::plugin::{NamedStage, Processor, Slots};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// All that there are, which all that hold a clone of it share.
#[derive(Clone, Default)]
pub(super) struct Pools(Arc<Mutex<BTreeMap<String, watch::Sender<InForce>>>>);

/// What a pool is at a time.
#[derive(Default)]
struct InForce {
    /// None while another one is to take its place.
    stages: Option<Stages>,
    /// How long a message may wait for that.
    wait_max: Duration,
}

/// The stages of a pool that runs.
pub(super) struct Stages {
    /// For messages that may go to a second worker.
    pub(super) idempotent: Arc<dyn Stage>,
    /// For others.
    pub(super) other: Arc<dyn Stage>,
}

impl Pools {
    /// From now on messages go to these stages.
    pub(super) fn serve(&self, name: &str, pool: &WorkerPool, stages: Stages) {
        let wait_max = Duration::from_millis(pool.wait_ms_max);
        self.sender(name).send_replace(InForce { stages: Some(stages), wait_max });
    }

    /// From now on messages wait for other stages, as long as a pool lets them.
    pub(super) fn hold(&self, name: &str, pool: &WorkerPool) {
        let wait_max = Duration::from_millis(pool.wait_ms_max);
        self.sender(name).send_replace(InForce { stages: None, wait_max });
    }

    /// There is no such pool any more.
    pub(super) fn forget(&self, name: &str) {
        if let Some(in_force) = self.lock().remove(name) {
            in_force.send_modify(|in_force| in_force.stages = None);
        }
    }

    /// A pool as a step of a flow whose messages may go to a second worker, or may not.
    pub(super) fn stage(&self, name: &str, is_idempotent: bool) -> Arc<dyn Stage> {
        Arc::new(NamedPool { name: step_of(name), is_idempotent, in_force: self.sender(name).subscribe() })
    }

    /// What processes messages at a step of a flow: a pool, or the plugin of that name.
    pub(super) fn stage_of(&self, step: &str, is_idempotent: bool, slots: &Arc<Slots>) -> Arc<dyn Stage> {
        match pool_of(step) {
            Some(pool) => self.stage(pool, is_idempotent),
            None => Arc::new(NamedStage::<Processor>::new(step, Arc::clone(slots))),
        }
    }

    /// A pool as a step of a route.
    pub(super) fn host_stage(&self, name: &str, output_bytes_max: usize) -> Arc<HostStage> {
        Arc::new(HostStage::new(self.stage(name, true), self.stage(name, false), output_bytes_max))
    }

    fn sender(&self, name: &str) -> watch::Sender<InForce> {
        self.lock().entry(name.to_owned()).or_default().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, watch::Sender<InForce>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    fn stage(&self, is_idempotent: bool) -> Option<&Arc<dyn Stage>> {
        let stages = self.stages.as_ref()?;
        Some(if is_idempotent { &stages.idempotent } else { &stages.other })
    }
}

/// Whatever pool has a name.
struct NamedPool {
    name: String,
    is_idempotent: bool,
    in_force: watch::Receiver<InForce>,
}

impl Stage for NamedPool {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_of_host(&self) -> bool {
        true
    }

    fn process(&self, message: Message, number: u64) -> BoxFuture<'static, Processed> {
        self.hand_over(message, move |stage, message| stage.process(message, number), |failed| failed)
    }

    fn stream(&self, message: Message, number: u64) -> BoxFuture<'static, Streamed> {
        let failed = |first| Streamed { first, further: None };
        self.hand_over(message, move |stage, message| stage.stream(message, number), failed)
    }
}

impl NamedPool {
    /// Has the pool that there is, or else the next one, take a message, which it does at once: meanwhile no other takes its
    /// place.
    fn hand_over<T: Send + 'static>(
        &self,
        message: Message,
        take: impl FnOnce(&dyn Stage, Message) -> BoxFuture<'static, T> + Send + 'static,
        failed: fn(Processed) -> T,
    ) -> BoxFuture<'static, T> {
        let (name, is_idempotent, mut in_force) = (self.name.clone(), self.is_idempotent, self.in_force.clone());
        Box::pin(async move {
            let wait_max = in_force.borrow().wait_max;
            let taken = {
                let served = timeout(wait_max, in_force.wait_for(|in_force| in_force.stages.is_some())).await;
                let in_force = served.ok().and_then(Result::ok);
                match in_force.as_ref().and_then(|in_force| in_force.stage(is_idempotent)) {
                    Some(stage) => Ok(take(&**stage, message)),
                    None => Err(message),
                }
            };
            match taken {
                Ok(processing) => processing.await,
                Err(message) => failed(none(&name, wait_max, message)),
            }
        })
    }
}

/// There is no pool now, and there may be one later.
fn none(name: &str, waited: Duration, input: Message) -> Processed {
    let detail = format!(
        "{name} is being changed, and has not begun again within wait_ms_max {}; try again later",
        waited.as_millis()
    );
    let (reason, fault, public_detail) = (Reason::NoWorker, Fault::Busy, detail.clone());
    let failure = Failure { reason, fault, detail, public_detail, retry_after: None };
    Processed { by: None, result: Err(Failed { failure, input }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Output;
    use futures_util::FutureExt;
    use smallvec::smallvec;

    /// Answers with its own name.
    struct Named(&'static str);

    impl Stage for Named {
        fn name(&self) -> &str {
            self.0
        }

        fn process(&self, _message: Message, _number: u64) -> BoxFuture<'static, Processed> {
            let message = Message::of_topic("", Vec::new(), self.0);
            let result = Ok(smallvec![Output { after: Duration::ZERO, message }]);
            Box::pin(async { Processed { by: None, result } })
        }
    }

    fn pool(wait_ms_max: u64) -> WorkerPool {
        toml::from_str(&format!("bind = ['tcp://h:1']\nwait_ms_max = {wait_ms_max}")).expect("a pool")
    }

    fn stages(idempotent: &'static str, other: &'static str) -> Stages {
        Stages { idempotent: Arc::new(Named(idempotent)), other: Arc::new(Named(other)) }
    }

    async fn answer(stage: &dyn Stage) -> Result<String, String> {
        let streamed = stage.stream(Message::default(), 1).await;
        let processed = stage.process(Message::default(), 1).await;
        let text = |processed: Processed| match processed.result {
            Ok(outputs) => Ok(String::from_utf8_lossy(&outputs[0].message.frames[0]).into_owned()),
            Err(failed) => Err(failed.failure.detail),
        };
        let (one, other) = (text(streamed.first), text(processed));
        assert_eq!(one, other, "they go to the same");
        one
    }

    #[tokio::test]
    async fn a_step_goes_on_with_what_takes_its_place() {
        let pools = Pools::default();
        let steps = [true, false].map(|is_idempotent| pools.stage("w", is_idempotent));
        assert!(steps[0].is_of_host() && steps[0].name() == "workers.w");
        pools.serve("w", &pool(1), stages("a", "b"));
        assert_eq!((answer(&*steps[0]).await, answer(&*steps[1]).await), (Ok("a".to_owned()), Ok("b".to_owned())));
        pools.serve("w", &pool(1), stages("c", "d"));
        assert_eq!((answer(&*steps[0]).await, answer(&*steps[1]).await), (Ok("c".to_owned()), Ok("d".to_owned())));
    }

    #[tokio::test]
    async fn a_message_waits_for_what_takes_its_place() {
        let pools = Pools::default();
        let step = pools.stage("w", true);
        pools.serve("w", &pool(60_000), stages("a", "b"));
        pools.hold("w", &pool(60_000));
        let mut waiting = Box::pin(answer(&*step));
        assert!(waiting.as_mut().now_or_never().is_none(), "it waits");
        pools.serve("w", &pool(1), stages("c", "d"));
        assert_eq!(waiting.await, Ok("c".to_owned()));
        pools.hold("w", &pool(1));
        let late = answer(&*step).await.expect_err("nobody comes");
        assert!(late.starts_with("workers.w is being changed") && late.contains("wait_ms_max 1;"), "{late}");
        pools.serve("w", &pool(60_000), stages("a", "b"));
        pools.forget("w");
        answer(&*step).await.expect_err("nobody is waited for");
    }
}
