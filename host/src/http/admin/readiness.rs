//! `GET /readyz`: whether the host is ready, and if not, why: one line per reason.

use super::{TEXT, with_type};
use crate::flow::Surface;
use crate::plugin::{Slot, Slots};
use std::sync::Arc;
use warp::http::StatusCode;
use warp::reply::Response;

/// Looks at one more thing that the host waits for; says in one line what is missing, if something is.
pub type Check = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// 200 unless the host drains, nobody answers its frontend, something is in the way of a surface, or a check complains.
/// A plugin that never served concerns no traffic: it is told of, and keeps nobody from being ready.
pub(super) fn answer(draining: bool, slots: &Slots, surfaces: &[Arc<dyn Surface>], checks: &[Check]) -> Response {
    let empty = slots.all().into_iter().filter(|slot| slot.roles().is_none());
    let (needed, others): (Vec<_>, Vec<_>) = empty.partition(|slot| slots.is_policy(slot));
    let not_loaded = |slot: &Arc<Slot>| format!("plugin {} is not loaded\n", slot.name());
    let obstacles = surfaces.iter().filter_map(|surface| Some(surface.health().obstacle? + "\n"));
    let reasons = reasons(draining, needed.iter().map(not_loaded).chain(obstacles), checks);
    let complaints: String = others.iter().map(not_loaded).collect();
    if reasons.is_empty() {
        return with_type(format!("ready\n{complaints}"), TEXT);
    }
    let mut response = with_type(reasons + &complaints, TEXT);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// The reasons not to be ready, a line each.
fn reasons(draining: bool, needed: impl IntoIterator<Item = String>, checks: &[Check]) -> String {
    let mut reasons = String::new();
    if draining {
        reasons += "draining\n";
    }
    reasons.extend(needed);
    for reason in checks.iter().filter_map(|check| check()) {
        reasons += &format!("{reason}\n");
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn one_check_that_complains_is_enough() {
        let missing = Arc::new(AtomicBool::new(true));
        let looks = Arc::clone(&missing);
        let waiting = move || looks.load(Ordering::Relaxed).then(|| "waiting for 2 subscribers".to_owned());
        let checks: [Check; 2] = [Box::new(|| None), Box::new(waiting)];
        assert_eq!(reasons(false, [], &checks), "waiting for 2 subscribers\n");
        assert_eq!(
            reasons(true, ["plugin a is not loaded\n".to_owned()], &checks),
            "draining\nplugin a is not loaded\nwaiting for 2 subscribers\n"
        );
        missing.store(false, Ordering::Relaxed);
        assert_eq!(reasons(false, [], &checks), "");
    }
}
