//! Rolling changes over hosts that refuse, fall silent, fail, roll back by themselves and die, under seeds.

use super::core::Rollout;
use super::words::{Came, Change, End, Goal, PluginSight, Sight, Standing, Step, Terms, Trouble};
use crate::flow::simulation::{Random, simulate};
use std::time::Duration;

const NEW: &str = "new";
const OLD: &str = "old";
const WATCH: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

/// What a host makes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    Refuses,
    /// It changes, or does not, and says nothing.
    Silent {
        changes: bool,
    },
    /// It is ready again after so many looks.
    Unready(u64),
    /// Its calls fail after so many looks.
    Fails(u64),
    /// It rolls back by itself after so many looks.
    RollsBack(u64),
    /// It answers nothing any more after so many looks.
    Dies(u64),
    /// Its source holds something else.
    Differs,
}

struct Host {
    fate: Fate,
    serves: Option<String>,
    previous: Vec<(u64, String)>,
    generation: u64,
    /// Since it changed.
    looks: Option<u64>,
    was_changed: bool,
    /// It refuses to go back.
    goes_back_badly: bool,
    /// It rolls back by itself just before it is asked to go back.
    is_faster: bool,
}

impl Host {
    fn new(random: &mut Random, is_rollback: bool) -> Self {
        let looks = random.below(8);
        let fate = match random.below(12) {
            0 => Fate::Refuses,
            1 => Fate::Silent { changes: random.one_in(2) },
            2 => Fate::Unready(looks),
            3 => Fate::Fails(looks),
            4 => Fate::RollsBack(looks),
            5 => Fate::Dies(looks),
            6 => Fate::Differs,
            _ => Fate::Well,
        };
        let is_new = random.one_in(6);
        let serves = match random.below(8) {
            0 if !is_rollback => None,
            _ => Some(if is_new { NEW } else { OLD }.to_owned()),
        };
        let previous = if is_rollback && !is_new { vec![(1, NEW.to_owned())] } else { Vec::new() };
        let (goes_back_badly, is_faster) = (random.one_in(10), random.one_in(10));
        Self { fate, serves, previous, generation: 2, looks: None, was_changed: false, goes_back_badly, is_faster }
    }

    fn serve(&mut self, digest: Option<String>) {
        if let Some(before) = self.serves.take() {
            self.previous.insert(0, (self.generation, before));
        }
        self.generation += 1;
        self.serves = digest;
        self.looks = Some(0);
    }

    fn look(&mut self) -> Result<Sight, String> {
        let looks = self.looks.map(|looks| looks + 1);
        self.looks = looks;
        let has_come = |after: u64| looks.is_some_and(|looks| looks > after);
        let mut sight = Sight::default();
        let mut failures = 0;
        match self.fate {
            Fate::Dies(after) if has_come(after) => return Err("dead".to_owned()),
            Fate::Unready(after) if looks.is_some() && !has_come(after) => {
                sight.failing.insert("publish".to_owned());
            }
            Fate::Fails(after) if has_come(after) => failures = 7,
            Fate::RollsBack(after) if has_come(after) && self.serves.as_deref() == Some(NEW) => {
                let before = self.previous.iter().find(|(_, digest)| digest == OLD).map(|(_, digest)| digest.clone());
                self.serves = before.or(self.serves.take());
            }
            _ => {}
        }
        sight.plugin = self.serves.clone().map(|digest| PluginSight {
            digest: Some(digest),
            source: "s".to_owned(),
            own_failures: failures + 2,
            generation_failures: failures,
            previous: self.previous.clone(),
            ..PluginSight::default()
        });
        if let (Some(plugin), None) = (&mut sight.plugin, looks) {
            // What failed before has nothing to do with it.
            (plugin.own_failures, plugin.generation_failures) = (2, 2);
        }
        Ok(sight)
    }

    fn change(&mut self, change: &Change, goal: &Goal) -> Result<Option<String>, Trouble> {
        let is_forward = matches!(change, Change::Load | Change::RollBack(_));
        let refused = || Err(Trouble::Refused("no".to_owned()));
        match (self.fate, change) {
            (Fate::Refuses, Change::Load | Change::RollBack(_)) => return refused(),
            (Fate::Silent { changes }, Change::Load | Change::RollBack(_)) => {
                if changes {
                    self.was_changed = true;
                    self.serve(Some(NEW.to_owned()));
                }
                return Err(Trouble::Silent("silence".to_owned()));
            }
            (Fate::Differs, Change::Load) if matches!(goal, Goal::LoadSource(_)) => {
                self.was_changed = true;
                self.serve(Some("another".to_owned()));
                return Ok(self.serves.clone());
            }
            (_, Change::GoBack(generation)) if self.is_faster => {
                self.change_back(*generation);
                return refused();
            }
            _ if !is_forward && self.goes_back_badly => return refused(),
            _ => {}
        }
        let digest = match change {
            Change::Load => Some(NEW.to_owned()),
            Change::Unload => None,
            Change::RollBack(generation) | Change::GoBack(generation) => {
                let at =
                    self.previous.iter().position(|(kept, _)| kept == generation).expect("a generation that is kept");
                Some(self.previous.remove(at).1)
            }
        };
        if self.serves != digest {
            self.was_changed |= is_forward;
            self.serve(digest);
        }
        Ok(self.serves.clone())
    }
}

impl Host {
    fn change_back(&mut self, generation: u64) -> Option<String> {
        let at = self.previous.iter().position(|(kept, _)| *kept == generation).expect("a generation that is kept");
        let digest = self.previous.remove(at).1;
        self.was_changed = true;
        self.serve(Some(digest));
        self.serves.clone()
    }
}

fn world(random: &mut Random) -> u64 {
    let goal = match random.below(3) {
        0 => Goal::Load(NEW.to_owned()),
        1 => Goal::LoadSource("s".to_owned()),
        _ => Goal::RollBack(if random.one_in(2) { Some("ne".to_owned()) } else { None }),
    };
    let is_rollback = matches!(goal, Goal::RollBack(_));
    let mut hosts: Vec<_> = (0..=random.below(5)).map(|_| Host::new(random, is_rollback)).collect();
    let first: Vec<_> = hosts.iter().map(|host| host.serves.clone()).collect();
    let interrupt_at = if random.one_in(8) { 1 + random.below(30) } else { u64::MAX };
    let mut rollout = Rollout::new(goal.clone(), Terms { watch: WATCH, patience: PATIENCE }, hosts.len());
    let (mut came, mut now, mut steps, mut goes_back) = (Came::Nothing, Duration::ZERO, 0, false);
    loop {
        steps += 1;
        assert!(steps < 5_000, "it has no end");
        if steps == interrupt_at {
            rollout.interrupt();
        }
        came = match rollout.next(came, now) {
            Step::LookAtAll => Came::Sights(hosts.iter_mut().map(Host::look).collect()),
            Step::Look(host) => Came::Sight(hosts[host].look()),
            Step::Change(host, change) => {
                match change {
                    Change::Load | Change::RollBack(_) => {
                        assert!(!goes_back, "forward after back");
                        assert!(steps < interrupt_at, "changed after an interruption");
                        let are_done = (0..host)
                            .all(|host| matches!(rollout.host(host).standing, Standing::Changed | Standing::Already));
                        assert!(are_done, "its turn has not come");
                    }
                    Change::GoBack(_) | Change::Unload => {
                        goes_back = true;
                        assert!(hosts[host].was_changed, "it was never changed");
                    }
                }
                now += Duration::from_millis(random.below(2_000));
                Came::Changed(hosts[host].change(&change, &goal))
            }
            Step::Rest => {
                now += Duration::from_millis(250);
                Came::Rested
            }
            Step::End => break,
        };
    }
    judge(&rollout, &hosts, &first);
    steps
}

/// What has to be so at the end.
fn judge(rollout: &Rollout, hosts: &[Host], first: &[Option<String>]) {
    let end = rollout.end().expect("an end");
    let standing = |host: usize| rollout.host(host).standing;
    for (number, host) in hosts.iter().enumerate() {
        let (serves, before) = (&host.serves, &first[number]);
        match standing(number) {
            Standing::Untouched | Standing::Unreachable | Standing::Unfit | Standing::Refused => {
                assert!(!host.was_changed, "host {number} was changed");
            }
            Standing::Back => {
                assert_eq!(serves, before, "host {number}");
                // What it was sent may take effect later.
                assert_ne!(host.fate, Fate::Silent { changes: false }, "host {number}");
            }
            Standing::Changed => {
                assert_eq!(serves.as_deref(), rollout.target(), "host {number}");
                // What befalls a host does so within fewer looks than a watch has.
                let is_ill = match host.fate {
                    Fate::Fails(_) | Fate::Dies(_) | Fate::Refuses | Fate::Silent { .. } => true,
                    Fate::RollsBack(_) => before.as_deref() == Some(OLD),
                    Fate::Well | Fate::Unready(_) | Fate::Differs => false,
                };
                assert!(!is_ill, "host {number} is not well: {:?}", host.fate);
            }
            Standing::Already => assert!(!host.was_changed || serves == before, "host {number}"),
            Standing::NotBack => {
                // Of one that said nothing and is as it was, it is not known whether it stays so.
                let has_cause = host.goes_back_badly
                    || matches!(host.fate, Fate::Dies(_))
                    || (matches!(host.fate, Fate::Silent { .. }) && serves == before);
                assert!(has_cause, "host {number}: {:?}", rollout.host(number));
            }
            Standing::Unwatched | Standing::Unwell => assert_eq!(end, End::Interrupted, "host {number}"),
        }
    }
    let all = |wanted: &[Standing]| (0..hosts.len()).all(|host| wanted.contains(&standing(host)));
    match end {
        End::Done => assert!(all(&[Standing::Changed, Standing::Already])),
        End::Unreachable | End::Unfit => assert!(hosts.iter().all(|host| !host.was_changed)),
        End::Stopped => {
            let as_before =
                [Standing::Untouched, Standing::Already, Standing::Refused, Standing::Unreachable, Standing::Back];
            assert!(all(&as_before));
        }
        End::Mixed => assert!((0..hosts.len()).any(|host| standing(host) == Standing::NotBack)),
        End::Interrupted => {}
    }
}

#[test]
fn a_rolling_change_ends_with_all_hosts_changed_or_all_as_they_were() {
    simulate(world);
}
