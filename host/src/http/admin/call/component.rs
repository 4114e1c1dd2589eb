//! A call of a component that serves nobody, with what a dead letter holds: nothing is sent, and nothing marked.

use super::trial::Trial;
use super::{Output, served};
use crate::http::problem::{Problem, RefusedComponent};
use crate::plugin::{CallNumber, LoadError, Processor, ReplyPolicy, Role, Seed, Slots, written_example};
use crate::record::dead_letters::Letter;
use std::sync::Arc;
use warp::reply::Response;

/// The plugin whose bounds and settings are those of a letter's call.
///
/// # Errors
/// When its call was no single one.
pub(in crate::http::admin) fn plugin_of(letter: &Letter) -> Result<String, Problem> {
    if let Some(met) = &letter.met {
        return Err(Problem::NotReplayed(format!(
            "{} has what went into several plugins ({met}), and not into one: replay it without a component",
            letter.id
        )));
    }
    Ok(letter.by.as_ref().map_or_else(|| letter.route.clone(), |by| by.plugin.clone()))
}

/// Loads a component, and makes the call of a letter in it, with the random numbers that the letter's call drew if it is the
/// same one.
///
/// # Errors
/// When the component is refused.
pub(in crate::http::admin) async fn answer(
    slots: &Slots,
    plugin: String,
    letter: Letter,
    is_request: bool,
    bytes: Vec<u8>,
) -> Result<Response, Problem> {
    let loaded = slots.load_for_a_call(&plugin, bytes).await.map_err(|error| match error {
        LoadError::Busy { .. } => Problem::TooBusy(format!("{plugin} is not tried: {error}")),
        _ => Problem::Refused(RefusedComponent { plugin, stage: error.stage(), reason: error.to_string() }),
    })?;
    let seed = Seed { value: letter.seed.value, fixed: letter.seed.fixed };
    let (component, number) = (Arc::new(loaded.seeded(seed)), CallNumber::Message(letter.number));
    let Some(message) = letter.input.into_message() else { return Err(Problem::Host) };
    let trial = Trial::begin(component.keep_log(number));
    if is_request {
        let input = component.input::<ReplyPolicy>(message.clone());
        let result = component.call_for_nobody::<ReplyPolicy>(input, number).await;
        let report = trial.report(written_example::of_request(&message, &result));
        return served(None, result.map_err(Problem::from), Output::replied, Some(report.of(component.digest())));
    }
    let input = component.input::<Processor>(message.clone());
    let result = component.call_for_nobody::<Processor>(input, number).await;
    let report = trial.report(written_example::of_message(&message, &result));
    let contract = component.contract_of(Processor::NAME);
    let output = |outputs| Output::processed(contract, outputs);
    served(None, result.map_err(Problem::from), output, Some(report.of(component.digest())))
}
