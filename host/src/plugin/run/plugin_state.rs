//! The state of one plugin name: its bounds and settings, and the counts that all its generations share.

use super::call_durations::CallDurations;
use super::call_log::CallLogs;
use super::cpu_share::CpuShare;
use crate::buckets::{Backends, PluginBuckets};
use crate::byte_budget::BudgetShare;
use crate::config::{self, Grant, LOG_LINE_BYTES_MAX, Limits, OUTBOUND_REQUESTS_MAX};
use crate::ledger::Hop;
use crate::log_limit::LogLimit;
use crate::plugin::call::CallNumber;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wasmtime_wasi_config::WasiConfigVariables;

/// What belongs to a name rather than to a generation: a swap must not double what may run, or forget what happened. A
/// clone with other bounds and settings shares all counts with it.
#[derive(Clone)]
pub(crate) struct PluginState {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) settings: Arc<WasiConfigVariables>,
    /// What an instance is to be when a call begins, as long as `reuse` is 1.
    isolation: config::Isolation,
    /// How many calls one instance may serve.
    pub(crate) reuse: u32,
    /// How many new instances are to wait for calls.
    pub(crate) warm: u32,
    /// The hosts that its guests may send requests to.
    pub(crate) outbound: Vec<Grant>,
    /// What its guests may keep between their calls.
    pub(crate) buckets: Arc<PluginBuckets>,
    /// Whether its calls serve nobody, so that nothing that its guests do may reach others.
    is_offline: bool,
    /// Whether what its guests write stays out of the log.
    is_silent: bool,
    /// The host that a request was last sent to in a call without a network.
    refused_request: Arc<Mutex<Option<String>>>,
    /// Permits for such requests.
    pub(crate) outbound_permits: Arc<Semaphore>,
    /// Calls that run.
    calls: Arc<AtomicUsize>,
    /// Its share of what the bodies of HTTP may take.
    pub(crate) room: BudgetShare,
    /// Where every call is counted: of all generations, those that were refused and trials included.
    pub(crate) hop: Arc<Hop>,
    /// How long calls took that were let in.
    pub(crate) durations: Arc<CallDurations>,
    pub(crate) cpu: CpuShare,
    /// Instances that were made: for calls, probes and examples.
    pub(crate) instances_made: Arc<AtomicU64>,
    /// What guests write in the calls of whoever wants to see that.
    pub(crate) call_logs: CallLogs,
    log_limit: Arc<Mutex<LogLimit>>,
    failure_log_limit: Arc<Mutex<LogLimit>>,
    lines_dropped: Arc<AtomicU64>,
    pub(crate) denied: Arc<Denied>,
}

/// Attempts of guests at what they may not do, as far as they reach the host.
#[derive(Debug, Default)]
pub(crate) struct Denied {
    pub(crate) sockets: AtomicU64,
    pub(crate) name_lookups: AtomicU64,
    pub(crate) stdin: AtomicU64,
    /// Requests to hosts that are not granted.
    pub(crate) outbound: AtomicU64,
    /// Buckets that are not granted.
    pub(crate) buckets: AtomicU64,
}

impl Denied {
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        BTreeMap::from([
            ("buckets", read(&self.buckets)),
            ("name-lookups", read(&self.name_lookups)),
            ("outbound", read(&self.outbound)),
            ("sockets", read(&self.sockets)),
            ("stdin", read(&self.stdin)),
        ])
    }
}

impl PluginState {
    pub(crate) fn new(
        name: String,
        limits: Limits,
        settings: BTreeMap<String, String>,
        instances: config::Instances,
        outbound: Vec<Grant>,
        buckets: PluginBuckets,
    ) -> Self {
        Self {
            name,
            settings: Arc::new(WasiConfigVariables::from_iter(settings)),
            isolation: instances.isolation,
            reuse: instances.reuse,
            warm: instances.warm,
            outbound,
            buckets: Arc::new(buckets),
            is_offline: false,
            is_silent: false,
            refused_request: Arc::default(),
            outbound_permits: Arc::new(Semaphore::new(OUTBOUND_REQUESTS_MAX)),
            calls: Arc::default(),
            room: BudgetShare::default(),
            hop: Arc::default(),
            durations: Arc::default(),
            cpu: CpuShare::new(limits.cpu_percent_max),
            instances_made: Arc::default(),
            call_logs: CallLogs::default(),
            log_limit: log_limit(&limits),
            failure_log_limit: log_limit(&limits),
            lines_dropped: Arc::default(),
            denied: Arc::default(),
            limits,
        }
    }

    /// With other bounds, settings and buckets, and the same counts. What is in a bucket stays there as long as it is granted.
    pub(crate) fn configured(
        &self,
        limits: Limits,
        settings: BTreeMap<String, String>,
        (granted, backends): (&BTreeMap<String, config::Bucket>, &Backends),
    ) -> Self {
        Self {
            buckets: Arc::new(self.buckets.configured(&self.name, granted, backends)),
            settings: Arc::new(WasiConfigVariables::from_iter(settings)),
            cpu: self.cpu.of(limits.cpu_percent_max),
            log_limit: log_limit(&limits),
            failure_log_limit: log_limit(&limits),
            limits,
            ..self.clone()
        }
    }

    /// Whether one more call may run; none if as many do as may.
    pub(crate) fn admit_call(&self) -> Option<CallPermit> {
        let permit = CallPermit(Arc::clone(&self.calls));
        // One too many is given back as it is dropped.
        (self.calls.fetch_add(1, Ordering::Relaxed) < self.limits.calls_max).then_some(permit)
    }

    /// Of a component that no host has loaded.
    pub(crate) fn offline(
        name: String,
        limits: Limits,
        settings: BTreeMap<String, String>,
        buckets: PluginBuckets,
    ) -> Self {
        let own = Self::new(name, limits, settings, config::Instances::default(), Vec::new(), buckets);
        Self { is_offline: true, ..own }
    }

    /// For calls that are rehearsed of the same component: under the same bounds and settings, each in the state of a new
    /// instance, without a network and without lines in the log, and what they write to buckets is gone with them. It shares no count, permit, share or limit with this one.
    pub(crate) fn for_rehearsal(&self) -> Self {
        let instances = config::Instances { isolation: self.isolation, ..config::Instances::default() };
        let (settings, name, limits) = (Arc::clone(&self.settings), self.name.clone(), self.limits.clone());
        let own = Self::new(name, limits, BTreeMap::new(), instances, Vec::new(), PluginBuckets::default());
        Self { is_offline: true, is_silent: true, settings, buckets: Arc::clone(&self.buckets), ..own }
    }

    /// The same under other settings.
    pub(crate) fn with_settings(self, settings: BTreeMap<String, String>) -> Self {
        Self { settings: Arc::new(WasiConfigVariables::from_iter(settings)), ..self }
    }

    /// Whether its calls serve nobody, and have no network whatever their number.
    pub(crate) fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// Whether the call with this number has a network: one for messages has, and one of a load has not, so that
    /// examples come to the same wherever they are tried.
    pub(crate) fn has_network(&self, number: CallNumber) -> bool {
        !self.is_offline && !matches!(number, CallNumber::Load(_))
    }

    /// Notes that a request was refused because there is no network.
    pub(crate) fn note_refused_request(&self, host: &str) {
        // The guest chose it.
        let host = shortened(host, LOG_LINE_BYTES_MAX).to_owned();
        *self.refused_request.lock().unwrap_or_else(PoisonError::into_inner) = Some(host);
    }

    /// The host of the last of them, which is told once.
    pub(crate) fn take_refused_request(&self) -> Option<String> {
        self.refused_request.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether its components are to be given what resets their instances.
    pub(crate) fn resets(&self) -> bool {
        self.reuse == 1 && self.isolation == config::Isolation::Reset
    }

    /// Writes one line of the guest, in the call of this number, to the log. `{:?}` escapes what could forge lines or move a
    /// terminal's cursor.
    pub(crate) fn log(&self, number: CallNumber, level: tracing::Level, context: &str, message: &str) {
        self.call_logs.write(number, level, context, message);
        if self.is_silent || !self.admit(&self.log_limit) {
            return;
        }
        let plugin = &*self.name;
        let context = shortened(context, LOG_LINE_BYTES_MAX);
        let message = shortened(message, LOG_LINE_BYTES_MAX);
        match level {
            tracing::Level::TRACE => tracing::trace!(plugin, ?context, ?message),
            tracing::Level::DEBUG => tracing::debug!(plugin, ?context, ?message),
            tracing::Level::INFO => tracing::info!(plugin, ?context, ?message),
            tracing::Level::WARN => tracing::warn!(plugin, ?context, ?message),
            tracing::Level::ERROR => tracing::error!(plugin, ?context, ?message),
        }
    }

    /// Whether a line about a failed call may be written. A guest that floods the log does not use up these.
    pub(crate) fn admit_failure(&self) -> bool {
        self.admit(&self.failure_log_limit)
    }

    /// Log lines of the plugin and about it that were not written.
    pub(crate) fn lines_dropped(&self) -> u64 {
        self.lines_dropped.load(Ordering::Relaxed)
    }

    /// Whether a line may be written. Logs when lines begin to be dropped, and how many were.
    fn admit(&self, log_limit: &Mutex<LogLimit>) -> bool {
        let (plugin, max) = (&self.name, self.limits.log_lines_per_second_max);
        let (admitted, skipped) = {
            let mut log_limit = log_limit.lock().unwrap_or_else(PoisonError::into_inner);
            (log_limit.admit((), Instant::now()), log_limit.skipped())
        };
        match admitted {
            Some(0) => true,
            Some(lost) => {
                tracing::warn!(plugin, lost, "log lines dropped, over log_lines_per_second_max {max}");
                true
            }
            None => {
                self.lines_dropped.fetch_add(1, Ordering::Relaxed);
                if skipped == 1 {
                    tracing::warn!(plugin, "log lines over log_lines_per_second_max {max} are dropped and counted");
                }
                false
            }
        }
    }
}

/// Held for as long as a call runs.
pub(crate) struct CallPermit(Arc<AtomicUsize>);

impl Drop for CallPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn log_limit(limits: &Limits) -> Arc<Mutex<LogLimit>> {
    Arc::new(Mutex::new(LogLimit::new(limits.log_lines_per_second_max.into(), Duration::from_secs(1))))
}

/// The text, cut at a character's boundary if it is longer than `bytes_max`.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_has_no_network_and_shares_no_count_with_what_serves() {
        let limits = Limits { calls_max: 1, ..Limits::default() };
        let instances = config::Instances { isolation: config::Isolation::Fresh, reuse: 7, warm: 3 };
        let grant = "localhost".parse().unwrap();
        let serving =
            PluginState::new("p".to_owned(), limits, BTreeMap::new(), instances, vec![grant], PluginBuckets::default());
        let rehearsal = serving.for_rehearsal();
        for number in [CallNumber::Message(1), CallNumber::Trial(1), CallNumber::Load(1)] {
            assert!(!rehearsal.has_network(number));
        }
        assert!(serving.has_network(CallNumber::Message(1)) && rehearsal.outbound.is_empty());
        let calls = [&serving, &rehearsal].map(PluginState::admit_call);
        assert!(calls.iter().all(Option::is_some), "one does not take the place of the other");
        rehearsal.instances_made.fetch_add(1, Ordering::Relaxed);
        rehearsal.denied.sockets.fetch_add(1, Ordering::Relaxed);
        rehearsal.hop.enter().out();
        rehearsal.cpu.charge(Duration::from_secs(9), Instant::now());
        assert_eq!((serving.instances_made.load(Ordering::Relaxed), serving.denied.counts()["sockets"]), (0, 0));
        assert_eq!((serving.hop.figures().entered, serving.cpu.in_debt(Instant::now)), (0, false));
        assert_eq!((rehearsal.reuse, rehearsal.warm, rehearsal.limits.calls_max), (1, 0, 1));
        assert!(!rehearsal.resets(), "its instances are what the configuration asks for");
    }
}
