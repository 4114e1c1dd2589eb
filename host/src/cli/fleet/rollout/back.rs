//! How the hosts that were changed go back, the last one first: each is looked at before and after, by digest.

use super::core::{BackStage, Phase, Rollout};
use super::words::{Came, Change, End, Goal, Sight, Standing, Step, Trouble};
use std::time::Duration;

impl Rollout {
    /// The next host that was changed, at this one or before it; at the end of them it is over.
    pub(super) fn go_back_from(&mut self, host: Option<usize>, now: Duration) -> Step {
        let was_changed = |host: &usize| {
            let progress = &self.hosts[*host];
            progress.is_uncertain || matches!(progress.standing, Standing::Changed | Standing::Unwell)
        };
        match (0..host.map_or(0, |host| host + 1)).rev().find(was_changed) {
            Some(host) => self.back_to(host, now, BackStage::Looking),
            None => {
                let is_mixed = self.hosts.iter().any(|host| host.standing == Standing::NotBack);
                self.over(if is_mixed { End::Mixed } else { End::Stopped })
            }
        }
    }

    /// Looks at a host on its way back; `since` is when its turn came.
    fn back_to(&mut self, host: usize, since: Duration, stage: BackStage) -> Step {
        self.phase = Phase::Back { host, since, stage };
        Step::Look(host)
    }

    pub(super) fn back(&mut self, host: usize, since: Duration, stage: BackStage, came: Came, now: Duration) -> Step {
        let may_wait = now < since + self.terms.patience;
        match (stage, came) {
            (BackStage::Looking, Came::Sight(Ok(sight))) => self.go_back(host, since, &sight, now),
            (BackStage::Checking, Came::Sight(Ok(sight))) => {
                let serves = sight.serving().map(str::to_owned);
                let refusal = self.hosts[host].refusal.take();
                if serves == self.before_of(host) {
                    return self.is_back(host, now);
                }
                let why = || format!("it went back to {}", serves.as_deref().unwrap_or("nothing"));
                self.is_not_back(host, refusal.unwrap_or_else(why), now)
            }
            // What comes of a change that nothing was heard of shows at the next look.
            (BackStage::Changing, Came::Changed(Ok(_))) => self.back_to(host, since, BackStage::Checking),
            (BackStage::Changing, Came::Changed(Err(Trouble::Silent(why)))) if may_wait => {
                self.hosts[host].refusal = Some(why);
                self.phase = Phase::Back { host, since, stage: BackStage::Looking };
                Step::Rest
            }
            // It may have rolled back by itself meanwhile, so that there is nothing more to go back to.
            (BackStage::Changing, Came::Changed(Err(Trouble::Silent(why) | Trouble::Refused(why)))) => {
                self.hosts[host].refusal = Some(why);
                self.back_to(host, since, BackStage::Checking)
            }
            (_, Came::Sight(Err(why))) if !may_wait => self.is_not_back(host, why, now),
            (_, Came::Sight(Err(_))) => Step::Rest,
            (BackStage::Looking | BackStage::Checking, _) => Step::Look(host),
            (BackStage::Changing, _) => Step::End,
        }
    }

    /// Has a host go back, if it serves what it was changed to.
    fn go_back(&mut self, host: usize, since: Duration, sight: &Sight, now: Duration) -> Step {
        let (before, progress) = (self.before_of(host), &self.hosts[host]);
        let serves = sight.serving();
        if serves == before.as_deref() {
            if progress.is_uncertain {
                let why = "it serves what it did before, and may still do what it was asked: its answer does not tell";
                return self.is_not_back(host, why.to_owned(), now);
            }
            return self.is_back(host, now);
        }
        // What a source held that did not say so may be anything.
        let sent = if matches!(self.goal, Goal::LoadSource(_)) { None } else { self.target.as_deref() };
        let ours = progress.after.as_deref().or(sent);
        if ours.is_some() && serves != ours {
            let why = format!("it serves {}, which is somebody else's doing", serves.unwrap_or("nothing"));
            return self.is_not_back(host, why, now);
        }
        let change = match before {
            None => Change::Unload,
            Some(digest) => match sight.kept(&digest) {
                Some(generation) => Change::GoBack(generation),
                None => {
                    let why = format!("it keeps {digest} no more, which it served before");
                    return self.is_not_back(host, why, now);
                }
            },
        };
        self.phase = Phase::Back { host, since, stage: BackStage::Changing };
        Step::Change(host, change)
    }

    fn before_of(&self, host: usize) -> Option<String> {
        self.hosts[host].serves_before().map(str::to_owned)
    }

    fn is_back(&mut self, host: usize, now: Duration) -> Step {
        self.hosts[host].is_uncertain = false;
        let why = self.hosts[host].why.take();
        self.stands(host, Standing::Back, why);
        self.go_back_from(host.checked_sub(1), now)
    }

    fn is_not_back(&mut self, host: usize, why: String, now: Duration) -> Step {
        self.hosts[host].is_uncertain = false;
        self.stands(host, Standing::NotBack, Some(why));
        self.go_back_from(host.checked_sub(1), now)
    }
}
