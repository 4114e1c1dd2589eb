//! `GET /readyz`: whether the host is ready; of each thing that is looked at, how it is, since when, and why.

use super::{JSON, TEXT, accept, with_type};
use crate::config::READINESS_LOOK_MS;
use crate::flow::Surfaces;
use crate::plugin::{Slot, Slots};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::Response;

/// One more thing that the host waits for.
pub struct Check {
    /// Its name, which is unique.
    pub name: &'static str,
    /// Looks at it; says in one line what is missing, if something is.
    pub look: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

/// Looks at everything, and remembers since when it is so.
pub struct Readiness {
    draining: Arc<AtomicBool>,
    slots: Arc<Slots>,
    surfaces: Surfaces,
    checks: Vec<Check>,
    /// By name. As many as there are things to look at.
    since: Mutex<BTreeMap<String, (Standing, jiff::Timestamp)>>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// As it should be.
    Ok,
    /// Worth a look, but it keeps the host from nothing: one plugin must not take all others out of service.
    Degraded,
    /// The host is not ready because of it.
    Failing,
}

/// How one thing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    name: String,
    state: Standing,
    since: String,
    why: Option<String>,
}

/// How the host is.
#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    since: String,
    checks: Vec<Finding>,
}

/// The same in short.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    ready: bool,
    /// Since when it is so.
    since: String,
    draining: bool,
    /// Why it is not ready.
    obstacles: Vec<String>,
    /// What is worth a look.
    notices: Vec<String>,
}

/// The name under which it is remembered since when the host is ready or not. No thing has it.
const WHOLE: &str = "";

impl Readiness {
    /// Of these, from now on.
    pub(super) fn new(draining: Arc<AtomicBool>, slots: Arc<Slots>, surfaces: Surfaces, checks: Vec<Check>) -> Self {
        let readiness = Self { draining, slots, surfaces, checks, since: Mutex::default() };
        readiness.look();
        readiness
    }

    /// Looks again and again, so that it is known to the second since when something is so, even if nobody asks.
    pub async fn keep_looking(&self) {
        loop {
            tokio::time::sleep(Duration::from_millis(READINESS_LOOK_MS)).await;
            self.look();
        }
    }

    /// 200 if the host is ready, else 503; as JSON if the caller prefers that.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let report = self.look();
        let mut response = match accept::prefers_json(headers) {
            // Texts are always JSON.
            true => with_type(serde_json::to_vec(&report).unwrap_or_default(), JSON),
            false => with_type(text(&report), TEXT),
        };
        if !report.ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }

    /// Looks now.
    pub(super) fn summary(&self) -> Summary {
        let report = self.look();
        let reasons = |state| {
            let found = report.checks.iter().filter(move |finding| finding.state == state);
            found.filter_map(|finding| finding.why.clone()).collect()
        };
        Summary {
            ready: report.ready,
            draining: self.draining.load(Ordering::Relaxed),
            obstacles: reasons(Standing::Failing),
            notices: reasons(Standing::Degraded),
            since: report.since,
        }
    }

    fn look(&self) -> Report {
        let failing = |name: &str, why: Option<String>| (name.to_owned(), why.map(|why| (Standing::Failing, why)));
        let draining = self.draining.load(Ordering::Relaxed).then(|| "draining".to_owned());
        let mut found = vec![failing("drain", draining)];
        found.extend(self.checks.iter().map(|check| failing(check.name, (check.look)())));
        found.extend(self.surfaces.all().iter().map(|surface| failing(surface.name(), surface.health().obstacle)));
        found.extend(
            self.slots
                .all()
                .iter()
                .map(|slot| (format!("plugin {}", slot.name()), plugin(slot, self.slots.is_policy(slot)))),
        );
        report(found, &mut self.since.lock().unwrap_or_else(PoisonError::into_inner), jiff::Timestamp::now())
    }
}

/// What there is to say of a plugin. One that does not serve, or is paused as its operator asked, keeps the host from being
/// ready only if the frontend needs it: restarting the host would not mend it, and the others serve.
fn plugin(slot: &Slot, is_policy: bool) -> Option<(Standing, String)> {
    let is_needed = is_policy && (slot.roles().is_none() || slot.is_held());
    let standing = if is_needed { Standing::Failing } else { Standing::Degraded };
    Some((standing, slot.complaint()?))
}

/// What was found, with since when it is so. What is so still, whatever is said of it, keeps its time; what there is no
/// more is forgotten.
fn report(
    found: Vec<(String, Option<(Standing, String)>)>,
    since: &mut BTreeMap<String, (Standing, jiff::Timestamp)>,
    now: jiff::Timestamp,
) -> Report {
    let mut known = std::mem::take(since);
    let mut note = |name: &str, state| {
        let time = known.remove(name).filter(|(before, _)| *before == state).map_or(now, |(_, since)| since);
        since.insert(name.to_owned(), (state, time));
        format!("{time:.0}")
    };
    let mut checks = Vec::new();
    let mut whole = Standing::Ok;
    for (name, what) in found {
        let (state, why) = what.map_or((Standing::Ok, None), |(state, why)| (state, Some(why)));
        let since = note(&name, state);
        // Ready is ready, whatever is worth a look.
        whole = whole.max(if state == Standing::Failing { state } else { Standing::Ok });
        checks.push(Finding { name, state, since, why });
    }
    Report { ready: whole == Standing::Ok, since: note(WHOLE, whole), checks }
}

/// `ready`, or the reasons why it is not; then what is worth a look. Each on a line, with its time.
fn text(report: &Report) -> String {
    let mut text = if report.ready { format!("ready since {}\n", report.since) } else { String::new() };
    for state in [Standing::Failing, Standing::Degraded] {
        for Finding { since, why, .. } in report.checks.iter().filter(|finding| finding.state == state) {
            for why in why.iter().flat_map(|why| why.lines()) {
                text += &format!("{why}, since {since}\n");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn each_is_told_with_the_time_since_when_it_is_so() {
        let mut since = BTreeMap::new();
        let waits = |subscribers| Some((Standing::Failing, format!("waiting for {subscribers} subscribers")));
        let late = Some((Standing::Degraded, "plugin late is not loaded".to_owned()));
        let mut look = |second, publish: &Option<_>, plugin: &Option<_>| {
            let found = vec![("publish".to_owned(), publish.clone()), ("plugin late".to_owned(), plugin.clone())];
            let report = report(found, &mut since, at(second));
            (report.ready, text(&report))
        };
        let text = |text: &str| text.replace('@', "1970-01-01T00:00:0");
        assert_eq!(look(1, &waits(2), &None), (false, text("waiting for 2 subscribers, since @1Z\n")));
        // Another reason for the same is no new beginning.
        let expected = "waiting for 1 subscribers, since @1Z\nplugin late is not loaded, since @3Z\n";
        assert_eq!(look(3, &waits(1), &late), (false, text(expected)));
        let expected = "ready since @4Z\nplugin late is not loaded, since @3Z\n";
        assert_eq!(look(4, &None, &late), (true, text(expected)));
        assert_eq!(look(5, &None, &None), (true, text("ready since @4Z\n")));
        assert_eq!(look(6, &waits(1), &None), (false, text("waiting for 1 subscribers, since @6Z\n")));
    }

    #[test]
    fn what_there_is_no_more_is_forgotten() {
        let mut since = BTreeMap::new();
        report(vec![("plugin a".to_owned(), None)], &mut since, at(1));
        report(vec![("plugin b".to_owned(), None)], &mut since, at(2));
        assert_eq!(since.keys().collect::<Vec<_>>(), ["", "plugin b"]);
    }
}
