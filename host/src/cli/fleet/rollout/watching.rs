//! Whether a host that was changed is well, for long enough.

use super::core::{Phase, Rollout};
use super::words::{Sight, Standing, Step, Terms};
use std::time::Duration;

impl Rollout {
    /// Whether a host that has changed is well, for long enough.
    pub(super) fn watched(&mut self, host: usize, sight: Result<Sight, String>, now: Duration) -> Step {
        let ill = match &sight {
            Ok(sight) => self.illness(host, sight),
            Err(_) => None,
        };
        if let Some(why) = ill {
            return self.fail(host, Standing::Unwell, why, now);
        }
        let not_yet = match sight {
            Ok(sight) => self.unreadiness(host, &sight),
            Err(why) => Some(why),
        };
        let Terms { watch, patience } = self.terms;
        let Phase::Watching { since, well_since, trouble, .. } = &mut self.phase else { return Step::End };
        let is_well = not_yet.is_none();
        if is_well {
            let from = *well_since.get_or_insert(now);
            if now.saturating_sub(from) >= watch {
                self.stands(host, Standing::Changed, None);
                return self.turn_of(host + 1);
            }
        } else {
            *well_since = None;
            *trouble = not_yet;
        }
        // One that was well in time is watched to the end of its watch.
        let until = *since + patience + if is_well { watch } else { Duration::ZERO };
        if now >= until {
            let why = trouble.take().unwrap_or_else(|| "it did not stay well for long enough".to_owned());
            return self.fail(host, Standing::Unwell, why, now);
        }
        Step::Rest
    }

    /// Why a host that has changed will not be well by waiting.
    fn illness(&self, host: usize, sight: &Sight) -> Option<String> {
        let before = self.hosts[host].before.as_ref().and_then(|before| before.plugin.as_ref());
        let Some(plugin) = &sight.plugin else { return Some("the plugin is gone".to_owned()) };
        let notice = || plugin.notice.as_ref().map(|notice| format!(": {notice}")).unwrap_or_default();
        if sight.serving() != self.target.as_deref() {
            return Some(format!("it serves {} by now{}", sight.serving().unwrap_or("nothing"), notice()));
        }
        if plugin.is_paused {
            return Some(format!("the plugin is paused{}", notice()));
        }
        // A call that began before the change fails by what served then, one that the caller is at fault for by nobody's.
        let own = plugin.own_failures.saturating_sub(before.map_or(0, |before| before.own_failures));
        let failures = own.min(plugin.generation_failures);
        (failures > 0).then(|| format!("{failures} of its calls have failed since"))
    }

    /// What keeps a host from being ready, that did not before.
    fn unreadiness(&self, host: usize, sight: &Sight) -> Option<String> {
        let before = self.hosts[host].before.as_ref().map(|before| &before.failing);
        let new = sight.failing.iter().filter(|name| !before.is_some_and(|before| before.contains(*name)));
        let new: Vec<_> = new.map(String::as_str).collect();
        (!new.is_empty()).then(|| format!("it is not ready: {}", new.join(", ")))
    }
}
