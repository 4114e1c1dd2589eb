//! `GET /readyz`: whether the host is ready, and if not, why: one line per reason.

use super::{TEXT, with_type};
use crate::plugin::Slots;
use warp::http::StatusCode;
use warp::reply::Response;

/// Looks at one more thing that the host waits for; says in one line what is missing, if something is.
pub type Check = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// 200 once every slot serves and no check complains.
pub(super) fn answer(draining: bool, slots: &Slots, checks: &[Check]) -> Response {
    let empty = slots.all().into_iter().filter(|slot| slot.roles().is_none()).map(|slot| slot.name().to_owned());
    let reasons = reasons(draining, empty, checks);
    if reasons.is_empty() {
        return with_type("ready\n", TEXT);
    }
    let mut response = with_type(reasons, TEXT);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn reasons(draining: bool, empty: impl IntoIterator<Item = String>, checks: &[Check]) -> String {
    let mut reasons = String::new();
    if draining {
        reasons += "draining\n";
    }
    for name in empty {
        reasons += &format!("plugin {name} is not loaded\n");
    }
    for reason in checks.iter().filter_map(|check| check()) {
        reasons += &format!("{reason}\n");
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn one_check_that_complains_is_enough() {
        let missing = Arc::new(AtomicBool::new(true));
        let looks = Arc::clone(&missing);
        let waiting = move || looks.load(Ordering::Relaxed).then(|| "waiting for 2 subscribers".to_owned());
        let checks: [Check; 2] = [Box::new(|| None), Box::new(waiting)];
        assert_eq!(reasons(false, [], &checks), "waiting for 2 subscribers\n");
        assert_eq!(
            reasons(true, ["a".to_owned()], &checks),
            "draining\nplugin a is not loaded\nwaiting for 2 subscribers\n"
        );
        missing.store(false, Ordering::Relaxed);
        assert_eq!(reasons(false, [], &checks), "");
    }
}
