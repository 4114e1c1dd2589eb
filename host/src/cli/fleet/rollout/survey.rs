//! The look at all hosts before one is changed: whether each can do what is wanted.

use super::core::Rollout;
use super::words::{End, Goal, Sight, Standing, Step};

impl Rollout {
    /// All have been looked at, and nothing is changed unless each can do what is wanted.
    pub(super) fn survey(&mut self, sights: Vec<Result<Sight, String>>) -> Step {
        let mut seen = Vec::new();
        for (host, sight) in sights.into_iter().enumerate() {
            match sight {
                Ok(sight) => seen.push(sight),
                Err(why) => self.stands(host, Standing::Unreachable, Some(why)),
            }
        }
        if seen.len() < self.hosts.len() {
            return self.over(End::Unreachable);
        }
        match &self.goal {
            Goal::Load(_) => {}
            Goal::LoadSource(source) => {
                let source = source.clone();
                for (host, sight) in seen.iter().enumerate() {
                    match &sight.plugin {
                        Some(plugin) if plugin.source == source => {}
                        Some(plugin) => {
                            let why = format!("it loads the plugin from {}, not from {source}", plugin.source);
                            self.stands(host, Standing::Unfit, Some(why));
                        }
                        None => self.stands(host, Standing::Unfit, Some("it has no such plugin".to_owned())),
                    }
                }
            }
            Goal::RollBack(wanted) => match target_of(wanted.as_deref(), &seen) {
                Err(why) => self.stands(0, Standing::Unfit, Some(why)),
                Ok(target) => {
                    for (host, sight) in seen.iter().enumerate() {
                        if sight.serving() != Some(&target) && sight.kept(&target).is_none() {
                            let why = format!("it neither serves {target} nor keeps it to go back to");
                            self.stands(host, Standing::Unfit, Some(why));
                        }
                    }
                    self.target = Some(target);
                }
            },
        }
        if self.hosts.iter().any(|host| host.standing == Standing::Unfit) {
            return self.over(End::Unfit);
        }
        self.turn_of(0)
    }
}

/// The digest that a rollback is to: the one that begins so, or what the first host would go back to that can.
fn target_of(wanted: Option<&str>, seen: &[Sight]) -> Result<String, String> {
    let plugins = seen.iter().filter_map(|sight| sight.plugin.as_ref());
    let Some(wanted) = wanted else {
        let first = seen.iter().find_map(|sight| sight.plugin.as_ref()?.previous.first());
        return first.map(|(_, digest)| digest.clone()).ok_or_else(|| "no host has anything to go back to".to_owned());
    };
    let known = plugins.flat_map(|plugin| plugin.previous.iter().map(|(_, digest)| digest).chain(&plugin.digest));
    let mut found: Vec<_> = known.filter(|digest| digest.starts_with(wanted)).collect();
    found.sort_unstable();
    found.dedup();
    match found[..] {
        [digest] => Ok(digest.clone()),
        [] => Err(format!("no host keeps a component whose digest begins with {wanted}")),
        _ => Err(format!("{} components have digests that begin with {wanted}: say more of it", found.len())),
    }
}
