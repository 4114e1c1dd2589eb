//! Start functions: which of them may run again at each reset.
//!
//! One that only computes, on what it finds in memories and globals, does the same each time that it runs: all of that is
//! written again before. Others are not run again: what the host answers, and what tables hold once all modules are there, may
//! differ from what was found the first time, and a memory that has grown does not shrink.

use super::component::{Component, CoreFunction, CoreInstance};
use super::obstacle::ResetObstacle;
use std::collections::BTreeSet;
use wasmparser::Operator;

/// Looks at all that the start functions of the component's instances can reach.
///
/// # Errors
/// What they reach that may not run again.
pub(crate) fn check(component: &Component) -> Result<(), ResetObstacle> {
    let mut reached = BTreeSet::new();
    for (number, instance) in component.instances.iter().enumerate() {
        let CoreInstance::Module { module, .. } = instance else { continue };
        let module = &component.modules[*module as usize];
        let Some(start) = module.start else { continue };
        let mut pending = vec![(number, start)];
        while let Some(function) = pending.pop() {
            if reached.insert(function) {
                let found = reaches(component, function, &mut pending);
                found.map_err(|what| ResetObstacle::Start { module: module.name.clone(), what })?;
            }
        }
    }
    Ok(())
}

/// Adds the functions that one calls, each with the instance that it is of.
fn reaches(
    component: &Component,
    (instance, function): (usize, u32),
    pending: &mut Vec<(usize, u32)>,
) -> Result<(), String> {
    let Some(CoreInstance::Module { module, arguments }) = component.instances.get(instance) else {
        return Err("what is no function of a module".to_owned());
    };
    let module = &component.modules[*module as usize];
    if let Some((from, name)) = module.imports.get(function as usize) {
        let argument = arguments.iter().find(|(argument, _)| argument == from).map(|(_, instance)| *instance as usize);
        let resolved = argument.and_then(|instance| resolve(component, instance, name));
        pending.push(resolved.ok_or_else(|| format!("{from} {name}, which the host answers"))?);
        return Ok(());
    }
    let Some(body) = module.bodies.get(function as usize - module.imports.len()) else {
        return Err("a function that is not there".to_owned());
    };
    let unreadable = |error: wasmparser::Error| error.to_string();
    for item in body.get_operators_reader().map_err(unreadable)?.into_iter_with_offsets() {
        let (operator, offset) = item.map_err(unreadable)?;
        let what = match operator {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                pending.push((instance, function_index));
                continue;
            }
            Operator::CallIndirect { .. } | Operator::ReturnCallIndirect { .. } => "a call by table",
            Operator::TableGet { .. } => "table.get",
            Operator::MemoryGrow { .. } => "memory.grow",
            _ => continue,
        };
        return Err(format!("{what} at {offset:#x}"));
    }
    Ok(())
}

/// Which function of which instance an export is; none if the host has it.
fn resolve<'a>(component: &Component<'a>, mut instance: usize, mut name: &'a str) -> Option<(usize, u32)> {
    // Each step goes to something that was defined before.
    for _ in 0..=component.instances.len() {
        match component.instances.get(instance)? {
            CoreInstance::Module { module, .. } => {
                let function = component.modules[*module as usize].exports.get(name)?;
                return Some((instance, *function));
            }
            CoreInstance::Exports(exports) => {
                let (_, function) = exports.iter().find(|(export, _)| *export == name)?;
                let CoreFunction::Alias { instance: of, name: as_name } =
                    component.functions.get(*function as usize)?
                else {
                    return None;
                };
                (instance, name) = (*of as usize, as_name);
            }
        }
    }
    None
}
