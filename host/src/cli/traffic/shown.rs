//! A record of captured traffic as people read it, and as programs do.

use super::bucket_uses;
use crate::cli::output::render::{bytes, field, frames, lines};
use crate::plugin::hex;
use crate::record::capture::record::{Call, CallRole, Output, Pair};
use crate::record::capture::{CaptureFile, Captured};
use crate::record::traffic::{Entry, LetterTraits};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

/// What is said of the whole.
pub(in crate::cli) fn head(capture: &CaptureFile) -> String {
    let about = capture.about();
    let mut head = field("host", &format!("tidegate {}, run {}", about.version, about.boot));
    let fixed = if about.seed_fixed { ", set by the user" } else { "" };
    head += &field("seed", &format!("{}{fixed}", about.seed));
    if let Some(summary) = capture.summary() {
        head += &field("records", &summary.records.to_string());
    }
    head
}

/// A record as it is printed: in several lines behind an empty one, or as a line of JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub(in crate::cli) fn entry(entry: &Entry, is_json: bool) -> anyhow::Result<String> {
    if is_json { Ok(serde_json::to_string(&json(entry))? + "\n") } else { Ok(text(entry)) }
}

fn text(Entry { captured, letter }: &Entry) -> String {
    let Captured { kind, name, time, record } = captured;
    let mut text = format!("\n{}", field(kind.as_str(), &format!("{name} at {}", told(*time))));
    if let Some(LetterTraits { id, hop, met, .. }) = letter {
        text += &(field("id", id) + &field("hop", hop.as_str()));
        text += &met.as_deref().map(|met| field("met", met)).unwrap_or_default();
    }
    text += &shown_pairs("metadata", &record.metadata);
    text += &frames(&record.frames);
    if let Some(call) = &record.call {
        text += &shown_call(call, letter.is_some());
    }
    text
}

fn shown_call(call: &Call, is_letter: bool) -> String {
    let Call { plugin, generation, number, nanos, stage, answer, failure, .. } = call;
    let micros = *nanos as f64 / 1_000.0;
    let by = match is_letter {
        true if plugin.is_empty() => format!("no plugin was reached, call {number}"),
        true => format!("{plugin}, generation {generation}, call {number}"),
        false => {
            format!("{plugin}, generation {generation}, {}, stage {stage}, call {number}: {micros:.1} µs", role(call))
        }
    };
    let mut text = field("called", &by) + &bucket_uses::text(call);
    if let Some(failure) = failure {
        text += &lines("failed", &format!("{}: {}", failure.reason, failure.detail));
    }
    if let Some(answer) = answer {
        if answer.outputs.is_empty() {
            text += "answer: none, the message was filtered\n";
        }
        for (index, output) in answer.outputs.iter().enumerate() {
            let after = match output.after_ns {
                0 => String::new(),
                after => format!(" after {:.1} ms", after as f64 / 1e6),
            };
            text += &format!("answer {index}{after}\n");
            text += &shown_pairs("  metadata", &output.metadata);
            for (index, frame) in output.frames.iter().enumerate() {
                text += &bytes(&format!("  frame {index}"), frame);
            }
        }
    }
    text
}

fn shown_pairs(name: &str, pairs: &[Pair]) -> String {
    pairs.iter().map(|Pair { key, value }| field(name, &format!("{key}={value}"))).collect()
}

/// Frames are text where all of them are UTF-8, else all are base64.
fn json(Entry { captured, letter }: &Entry) -> Value {
    let Captured { kind, name, time, record } = captured;
    let mut value = json!({ "time": told(*time), "time_ns": time, "kind": kind.as_str(), "name": name });
    if let Some(LetterTraits { id, hop, seed, met }) = letter {
        value["letter"] = json!({ "id": id, "hop": hop, "seed": seed, "met": met });
    }
    add_message(&mut value, &record.frames, &record.metadata);
    if let Some(call) = &record.call {
        value["call"] = json_call(call, letter.is_some());
    }
    value
}

fn json_call(call: &Call, is_letter: bool) -> Value {
    let Call { plugin, generation, digest, number, nanos, stage, answer, failure, .. } = call;
    let mut value = json!({ "number": number });
    // A letter knows the plugin where one was reached, and no more of the call.
    if !is_letter || !plugin.is_empty() {
        value["plugin"] = json!(plugin);
        value["generation"] = json!(generation);
        value["digest"] = json!(hex(digest));
    }
    if !is_letter {
        value["role"] = json!(role(call));
        value["stage"] = json!(stage);
        value["duration_ns"] = json!(nanos);
    }
    bucket_uses::add(&mut value, call);
    if let Some(answer) = answer {
        value["answer"] = answer.outputs.iter().map(json_output).collect();
    }
    if let Some(failure) = failure {
        value["failure"] = json!({ "reason": failure.reason, "detail": failure.detail });
    }
    value
}

fn json_output(output: &Output) -> Value {
    let mut value = json!({ "after_ns": output.after_ns });
    add_message(&mut value, &output.frames, &output.metadata);
    value
}

fn add_message(value: &mut Value, frames: &[Bytes], metadata: &[Pair]) {
    let pairs: Vec<_> = metadata.iter().map(|Pair { key, value }| [key, value]).collect();
    let texts: Result<Vec<_>, _> = frames.iter().map(|frame| std::str::from_utf8(frame)).collect();
    let mut members = Map::from_iter([("metadata".to_owned(), json!(pairs))]);
    match texts {
        Ok(texts) => members.insert("frames".to_owned(), json!(texts)),
        Err(_) => {
            let encoded: Vec<_> = frames.iter().map(|frame| BASE64_STANDARD.encode(frame)).collect();
            members.insert("frames_base64".to_owned(), json!(encoded))
        }
    };
    if let Value::Object(all) = value {
        all.extend(members);
    }
}

fn role(call: &Call) -> &'static str {
    CallRole::try_from(call.role).map_or("unknown", CallRole::as_str)
}

/// A time as RFC 3339 has it.
fn told(time: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(time.into());
    time.map_or_else(|_| "an unknown time".to_owned(), |time| time.to_string())
}
