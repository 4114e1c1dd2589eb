//! What a component promises by its examples, to which a load holds it.

use super::{Examples, SECTION};
use crate::plugin::load::LoadError;
use crate::plugin::roles::loaded::Plugin;
use std::fmt;
use std::sync::Arc;

/// The examples in a component's custom section; none if it has none.
pub(in crate::plugin::load) fn carried_examples(bytes: &[u8]) -> Result<Examples, LoadError> {
    let Some(section) = crate::plugin::custom_section(bytes, SECTION) else { return Ok(Examples::default()) };
    let refused =
        |error: &dyn fmt::Display| LoadError::Examples(format!("the custom section {SECTION} cannot be read: {error}"));
    let text = std::str::from_utf8(section).map_err(|error| refused(&error))?;
    Examples::parse(text).map_err(|error| refused(&error))
}

/// Runs the plugin's examples; a single one that fails refuses the component.
pub(in crate::plugin::load) async fn check_examples(
    plugin: &Arc<Plugin>,
    examples: &Examples,
) -> Result<(), LoadError> {
    let outcomes = examples.try_on(plugin).await;
    if let Some(text) = outcomes.iter().find(|outcome| outcome.was_busy).and_then(|outcome| outcome.difference.clone())
    {
        return Err(LoadError::Busy { stage: "examples", text });
    }
    let differences: Vec<_> = outcomes
        .into_iter()
        .filter_map(|outcome| outcome.difference.map(|difference| format!("`{}`: {difference}", outcome.name)))
        .collect();
    let Some(first) = differences.first() else { return Ok(()) };
    let (failed, count) = (differences.len(), examples.count());
    Err(LoadError::Examples(format!("{failed} of {count} failed, the first being {first}")))
}
