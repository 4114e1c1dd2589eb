//! A letter's call, made again without a host: the same engine, bounds, seed and input.

use crate::cli::compile_cache::compile_cache;
use crate::cli::log;
use crate::cli::output::outcome::{Outcome, Processed, Replies};
use crate::config::LogFormat;
use crate::config::{Config, check_name};
use crate::plugin::{CallNumber, Cause, Engine, Processor, ReplyPolicy, Role, Seed, Setup, Slots, Source, own_program};
use crate::record::dead_letters::{By, Input, Letter};
use crate::system::output::note;
use crate::system::supervisor::Supervisor;
use anyhow::{Context, bail};
use std::path::Path;

/// Calls the component as the letter's plugin was called; `config` has the limits and settings of that plugin.
///
/// # Errors
/// When the configuration cannot be read, the component is refused, or the letter is of a reply, which has no call.
pub(super) fn call(
    letter: Letter,
    component: &Path,
    config: Option<&Path>,
    log_filter: Option<log::Filter>,
) -> anyhow::Result<Outcome> {
    // Only on request: then the guest's own lines show as well.
    let _log = log_filter.map(|filter| log::start(LogFormat::Text, Some(filter)));
    let read = config.map(Config::read).transpose().map_err(anyhow::Error::msg)?;
    let (config, _) = read.unwrap_or_default();
    let Letter { by, met, route, seed, number, input, .. } = letter;
    if let Some(met) = met {
        bail!("the letter has what went into several plugins ({met}), and not into this one: replay it on a host");
    }
    let number = CallNumber::Message(number);
    let name = by.as_ref().map_or(route, |by| by.plugin.clone());
    check_name(&name).map_err(anyhow::Error::msg)?;
    let setup = Setup {
        plugins: 1,
        compiler: own_program().context("finding this program, which compiles")?,
        cache: compile_cache(&config.cache, false),
        seed: Seed { value: seed.value, fixed: seed.fixed },
        debug_info: false,
        spare_processors: 0,
        supervisor: Supervisor::default(),
    };
    let engine = Engine::new(&config.limits_largest(), setup)?;
    let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
    runtime.block_on(async {
        let slots = Slots::new(engine, config, false).without_memory();
        let slot = slots.add_all(vec![Source { name, place: component.to_owned().into() }]).pop();
        let slot = slot.context("the component has no slot")?;
        let loaded =
            slots.load(&slot, Cause::Asked).await.with_context(|| format!("{} is refused", component.display()))?;
        if let (Some(loaded), Some(by)) = (loaded, by) {
            compare(component, &loaded.served_by.digest, &by);
        }
        let is_request = matches!(input, Input::Request { .. });
        let message = input.into_message().context("a reply has no call to make again")?;
        if is_request {
            let input = slot.input::<ReplyPolicy>(message);
            let answer = slot.call::<ReplyPolicy>(input.clone(), input.request_id(), number).await;
            return Ok(answer.result.map(Replies).into());
        }
        let input = slot.input::<Processor>(message);
        let answer = slot.call::<Processor>(input.clone(), input.request_id(), number).await;
        let contract = slot.contract_of(Processor::NAME);
        Ok(answer.result.map(|outputs| Processed { outputs, contract }).into())
    })
}

fn compare(component: &Path, digest: &str, by: &By) {
    if digest != by.digest {
        note(format_args!(
            "note: {} has the digest {digest}, and the letter is of {}: another component, which draws another chance",
            component.display(),
            by.digest
        ));
    }
}
