//! Whether the plugins that flows and routes go through, pools of workers aside, are there, and can do what they are named for.

use crate::config::{Config, Flow, Route, pool_of};
use crate::plugin::{HttpHandler, Processor, Role, Slots};

/// Looks at the flows and routes of a configuration that are none of those `in_force`, where there are any.
///
/// # Errors
/// When one goes through a plugin that is not loaded, or does not process messages. Names it, and the remedy.
pub(super) fn check(slots: &Slots, config: &Config, in_force: Option<&Config>) -> Result<(), String> {
    let is_new_flow = |name: &str, flow: &Flow| in_force.is_none_or(|config| config.flows.get(name) != Some(flow));
    for (name, flow) in config.flows.iter().filter(|(name, flow)| is_new_flow(name, flow)) {
        flow.through
            .iter()
            .filter(|step| pool_of(step).is_none())
            .try_for_each(|plugin| check_plugin(slots, &format!("flows.{name}.through"), plugin, false))?;
    }
    let is_new_route = |name: &str, route: &Route| in_force.is_none_or(|config| config.routes.get(name) != Some(route));
    for (name, route) in config.routes.iter().filter(|(name, route)| is_new_route(name, route)) {
        let (key, plugins) = match &route.through[..] {
            [] => (format!("routes.{name}"), std::slice::from_ref(name)),
            through => (format!("routes.{name}.through"), through),
        };
        // The only plugin of a route may be a handler.
        let is_alone = plugins.len() == 1;
        let mut plugins = plugins.iter().filter(|step| pool_of(step).is_none());
        plugins.try_for_each(|plugin| check_plugin(slots, &key, plugin, is_alone))?;
    }
    Ok(())
}

/// What an empty slot will serve is not known: it is found out when a message comes.
fn check_plugin(slots: &Slots, key: &str, plugin: &str, may_be_handler: bool) -> Result<(), String> {
    let Some(slot) = slots.get(plugin) else {
        return Err(format!(
            "{key}: no plugin `{plugin}` is loaded: name it with --plugin, or in [plugins.{plugin}]; a host that runs \
             takes it by `tidegate plugin load`"
        ));
    };
    let lacks = |role| slot.has_role(role) == Some(false);
    match slot.roles() {
        Some(roles) if lacks(Processor::NAME) && (!may_be_handler || lacks(HttpHandler::NAME)) => {
            let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
            Err(format!(
                "{key}: plugin `{plugin}` has the role {} and processes no messages: name one with the role {}",
                roles.join(" and "),
                Processor::NAME
            ))
        }
        _ => Ok(()),
    }
}
