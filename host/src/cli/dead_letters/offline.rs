//! A letter's call, made again without a host: the same engine, bounds, chance and input.

use super::replay::Outcome;
use super::shown::{bytes, field, frames, lines, metadata};
use crate::cli::log;
use crate::config::LogFormat;
use crate::config::{Config, check_name};
use crate::dead_letters::{Base64, By, Input, Letter};
use crate::plugin::{CallError, Engine, Message, Reply, Request, Seed, Setup, Slots, Source, own_program};
use anyhow::{Context, bail};
use serde_json::json;
use std::path::Path;

/// Calls the component as the plugin was called of which the letter tells; `config` has that one's limits and settings.
pub(super) fn call(letter: Letter, component: &Path, config: Option<&Path>) -> anyhow::Result<Outcome> {
    // Only on request: then the guest's own lines show as well.
    let _log = std::env::var_os("TIDEGATE_LOG").map(|_| log::start(LogFormat::Text));
    let config = config.map_or_else(|| Ok(Config::default()), Config::read).map_err(anyhow::Error::msg)?;
    let Letter { by, route, seed, number, input, .. } = letter;
    let name = by.as_ref().map_or(route, |by| by.plugin.clone());
    check_name(&name).map_err(anyhow::Error::msg)?;
    let setup = Setup {
        compiler: own_program().context("finding this program, which compiles")?,
        cache: None,
        seed: Seed { value: seed.value, fixed: seed.fixed },
    };
    let engine = Engine::new(&config.limits_largest(), setup)?;
    let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
    runtime.block_on(async {
        let slots = Slots::new(engine, config, false);
        let slot = slots.add(Source { name, place: component.to_owned().into() });
        let loaded = slots.load(&slot, true).await.with_context(|| format!("{} is refused", component.display()))?;
        if let (Some(loaded), Some(by)) = (loaded, by) {
            compare(component, &loaded.stamp.digest, &by);
        }
        match input {
            Input::Message { topic, metadata, body_base64: Base64(body) } => {
                let answer = slot.transform(Message { topic, metadata, body }, number).await;
                Ok(answer.result.map_or_else(|error| failed(&error), transformed))
            }
            Input::Request { identity_base64: Base64(identity), metadata, frames_base64 } => {
                let frames = frames_base64.into_iter().map(|frame| frame.0).collect();
                let answer = slot.replies(Request { identity, metadata, frames }, number).await;
                Ok(answer.result.map_or_else(|error| failed(&error), replied))
            }
            Input::Reply { .. } => bail!("a reply has no call to make again"),
        }
    })
}

fn compare(component: &Path, digest: &str, by: &By) {
    if digest != by.digest {
        eprintln!(
            "note: {} has the digest {digest}, and the letter is of {}: another component, which draws another chance",
            component.display(),
            by.digest
        );
    }
}

fn failed(error: &CallError) -> Outcome {
    let (reason, error) = (error.reason().as_str(), error.to_string());
    let text = field("reason", reason) + &lines("error", &error);
    Outcome { answered: false, json: json!({"reason": reason, "error": error}), text }
}

fn transformed(message: Option<Message>) -> Outcome {
    let Some(Message { topic, metadata: pairs, body }) = message else {
        let text = "filtered: there is no message\n".to_owned();
        return Outcome { answered: true, json: json!({"message": null}), text };
    };
    let shown_topic = if topic.is_empty() { String::new() } else { field("topic", &topic) };
    let text = shown_topic + &metadata(&pairs) + &bytes("body", &body);
    let message = Input::from(Message { topic, metadata: pairs, body });
    Outcome { answered: true, json: json!(message), text }
}

fn replied(replies: Vec<Reply>) -> Outcome {
    let mut text = format!("replies: {}\n", replies.len());
    let mut list = Vec::new();
    for Reply { delay_ms, frames: reply } in replies {
        text += &format!("delay_ms: {delay_ms}\n{}", frames(&reply));
        list.push(json!({"delay_ms": delay_ms, "frames_base64": reply.into_iter().map(Base64).collect::<Vec<_>>()}));
    }
    Outcome { answered: true, json: json!({"replies": list}), text }
}
