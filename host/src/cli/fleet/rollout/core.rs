//! A rolling change, without I/O: what is to be done next, by what has come of the last step and the time that it is.
//!
//! All hosts are looked at before one is changed. Then one after the other is changed and watched, until all are, or one
//! refuses or is not well: those before it go back then, the last one first, each by the digest that it served before.

use super::words::{Came, Change, End, Goal, Sight, Standing, Step, Terms, Trouble};
use std::time::Duration;

/// A rolling change on its way.
pub(in crate::cli::fleet) struct Rollout {
    pub(super) goal: Goal,
    pub(super) terms: Terms,
    /// The digest that all are to serve, once it is known.
    pub(super) target: Option<String>,
    pub(super) hosts: Vec<HostProgress>,
    pub(super) phase: Phase,
    is_interrupted: bool,
    /// The hosts whose standing has changed and was not yet told.
    news: Vec<usize>,
}

/// How far a host is.
#[derive(Debug)]
pub(in crate::cli::fleet) struct HostProgress {
    pub(in crate::cli::fleet) standing: Standing,
    /// Why it stands so, if there is something to say.
    pub(in crate::cli::fleet) why: Option<String>,
    /// As it was before it was changed.
    pub(super) before: Option<Sight>,
    /// What it said that it serves since.
    pub(super) after: Option<String>,
    /// It never said what came of a change.
    pub(super) is_uncertain: bool,
    /// Why it did not go back when it was asked to, or what went wrong though it did.
    pub(super) refusal: Option<String>,
}

impl HostProgress {
    /// The digest that it served before it was changed.
    pub(super) fn serves_before(&self) -> Option<&str> {
        self.before.as_ref()?.serving()
    }

    /// The digest that it said that it serves since.
    pub(super) fn serves_after(&self) -> Option<&str> {
        self.after.as_deref()
    }
}

/// What is waited for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Surveying,
    /// A host is looked at before it is changed.
    Looking(usize),
    Changing(usize),
    Watching {
        host: usize,
        since: Duration,
        well_since: Option<Duration>,
        trouble: Option<String>,
    },
    /// Hosts go back: this one, and before it those below.
    Back {
        host: usize,
        since: Duration,
        stage: BackStage,
    },
    Over(End),
}

/// How far a host is on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackStage {
    Looking,
    Changing,
    Checking,
}

impl Rollout {
    /// Of so many hosts; nothing has been done yet.
    pub(in crate::cli::fleet) fn new(goal: Goal, terms: Terms, hosts: usize) -> Self {
        let host = || HostProgress {
            standing: Standing::Untouched,
            why: None,
            before: None,
            after: None,
            is_uncertain: false,
            refusal: None,
        };
        let target = if let Goal::Load(digest) = &goal { Some(digest.clone()) } else { None };
        let hosts = std::iter::repeat_with(host).take(hosts).collect();
        Self { goal, terms, target, hosts, phase: Phase::Surveying, is_interrupted: false, news: Vec::new() }
    }

    /// The user wants an end. What goes back does so to its end.
    pub(in crate::cli::fleet) fn interrupt(&mut self) {
        self.is_interrupted = true;
    }

    /// How it has ended, once it has.
    pub(in crate::cli::fleet) fn end(&self) -> Option<End> {
        if let Phase::Over(end) = self.phase { Some(end) } else { None }
    }

    /// The digest that all are to serve, once it is known.
    pub(in crate::cli::fleet) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// How a host stands.
    pub(in crate::cli::fleet) fn host(&self, host: usize) -> &HostProgress {
        &self.hosts[host]
    }

    /// The hosts whose standing has changed since this was last asked, in the order in which it did.
    pub(in crate::cli::fleet) fn take_news(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.news)
    }

    /// What is to be done, after this has come of what was to be done before. `now` is the time since the beginning.
    pub(in crate::cli::fleet) fn next(&mut self, came: Came, now: Duration) -> Step {
        if self.is_interrupted && !matches!(self.phase, Phase::Back { .. } | Phase::Over(_)) {
            return self.stop_for_user(came);
        }
        match (&self.phase, came) {
            (Phase::Surveying, Came::Sights(sights)) => self.survey(sights),
            (Phase::Surveying, _) => Step::LookAtAll,
            (&Phase::Looking(host), Came::Sight(sight)) => self.before(host, sight, now),
            (&Phase::Looking(host), _) => Step::Look(host),
            (&Phase::Changing(host), Came::Changed(answer)) => self.changed(host, answer, now),
            (&Phase::Watching { host, .. }, Came::Sight(sight)) => self.watched(host, sight, now),
            (&Phase::Watching { host, .. }, _) => Step::Look(host),
            (&Phase::Back { host, since, stage }, came) => self.back(host, since, stage, came, now),
            (Phase::Changing(_) | Phase::Over(_), _) => Step::End,
        }
    }

    /// Ends where it is; what a change has come to by then is taken note of.
    fn stop_for_user(&mut self, came: Came) -> Step {
        match (&self.phase, came) {
            (&Phase::Changing(host), Came::Changed(Ok(digest))) => {
                self.hosts[host].after = digest;
                self.stands(host, Standing::Unwatched, None);
            }
            (&Phase::Changing(host), Came::Changed(Err(Trouble::Refused(why)))) => {
                self.stands(host, Standing::Refused, Some(why));
            }
            (&Phase::Changing(host), Came::Changed(Err(Trouble::Silent(why)))) => {
                self.stands(host, Standing::Unwell, Some(why));
            }
            (&Phase::Watching { host, .. }, _) => self.stands(host, Standing::Unwatched, None),
            _ => {}
        }
        self.over(End::Interrupted)
    }

    /// The next host, if there is one.
    pub(super) fn turn_of(&mut self, host: usize) -> Step {
        if host == self.hosts.len() {
            return self.over(End::Done);
        }
        self.phase = Phase::Looking(host);
        Step::Look(host)
    }

    fn before(&mut self, host: usize, sight: Result<Sight, String>, now: Duration) -> Step {
        let sight = match sight {
            Ok(sight) => sight,
            Err(why) => return self.fail(host, Standing::Unreachable, why, now),
        };
        if self.target.is_some() && sight.serving() == self.target.as_deref() {
            self.stands(host, Standing::Already, None);
            return self.turn_of(host + 1);
        }
        let is_held = sight.plugin.as_ref().is_some_and(|plugin| plugin.is_held);
        let change = match (&self.goal, &self.target) {
            _ if is_held => Err("its operator has paused the plugin there: resume it first".to_owned()),
            (Goal::RollBack(_), Some(target)) => sight
                .kept(target)
                .map(Change::RollBack)
                .ok_or_else(|| format!("it keeps {target} no more to go back to")),
            _ => Ok(Change::Load),
        };
        match change {
            Err(why) => self.fail(host, Standing::Refused, why, now),
            Ok(change) => {
                self.hosts[host].before = Some(sight);
                self.phase = Phase::Changing(host);
                Step::Change(host, change)
            }
        }
    }

    fn changed(&mut self, host: usize, answer: Result<Option<String>, Trouble>, now: Duration) -> Step {
        match answer {
            Err(Trouble::Refused(why)) => self.fail(host, Standing::Refused, why, now),
            Err(Trouble::Silent(why)) => {
                self.hosts[host].is_uncertain = true;
                self.fail(host, Standing::Unwell, why, now)
            }
            Ok(digest) => {
                let before = self.hosts[host].serves_before();
                let is_as_before = digest.is_some() && digest.as_deref() == before;
                self.hosts[host].after.clone_from(&digest);
                let target = self.target.get_or_insert_with(|| digest.clone().unwrap_or_default()).clone();
                if digest.as_deref() != Some(&target) {
                    let serves = digest.as_deref().unwrap_or("nothing");
                    let why = format!("it serves {serves} now, where the others serve {target}");
                    return self.fail(host, Standing::Unwell, why, now);
                }
                if is_as_before {
                    self.stands(host, Standing::Already, None);
                    return self.turn_of(host + 1);
                }
                self.phase = Phase::Watching { host, since: now, well_since: None, trouble: None };
                Step::Look(host)
            }
        }
    }

    /// A host refused or is not well: those that were changed go back.
    pub(super) fn fail(&mut self, host: usize, standing: Standing, why: String, now: Duration) -> Step {
        self.stands(host, standing, Some(why));
        self.go_back_from(Some(host), now)
    }

    pub(super) fn stands(&mut self, host: usize, standing: Standing, why: Option<String>) {
        let progress = &mut self.hosts[host];
        progress.standing = standing;
        progress.why = why;
        self.news.push(host);
    }

    pub(super) fn over(&mut self, end: End) -> Step {
        self.phase = Phase::Over(end);
        Step::End
    }
}
