//! What was recorded, as it stands in a capture.

use super::asked::Wanted;
use super::buckets::Buckets;
use super::format::Channel;
use super::record::{Answer, Call, CallFailure, CallRole, Output, Pair, Record};
use crate::flow::{Metadata, OwnedPlace, Recorded, RecordedCall, ServedBy};
use crate::record::choice::PlaceKind;
use std::time::{Duration, UNIX_EPOCH};

/// The channel, the time in nanoseconds since 1970, and the record.
pub(super) fn converted(recorded: &Recorded, wanted: &Wanted) -> (Channel, u64, Record) {
    let (kind, name) = match &recorded.place {
        OwnedPlace::Flow(name) => (PlaceKind::Flow, name),
        OwnedPlace::Route(name) => (PlaceKind::Route, name),
        OwnedPlace::Policy(name) => (PlaceKind::Policy, name),
    };
    let topic = match &recorded.frames[..] {
        [topic, _, ..] if kind != PlaceKind::Policy && !topic.is_empty() => Some(topic.to_vec()),
        _ => None,
    };
    let time = recorded.at.duration_since(UNIX_EPOCH).map_or(0, nanoseconds);
    let record = Record {
        frames: recorded.frames.to_vec(),
        metadata: pairs(&recorded.metadata, wanted),
        call: recorded.call.as_ref().map(|made| call(made, kind, wanted)),
    };
    (Channel { kind, name: name.clone(), topic }, time, record)
}

fn call(made: &RecordedCall, kind: PlaceKind, wanted: &Wanted) -> Call {
    let RecordedCall { plugin, by, number, took, stage, result, buckets } = made;
    let (generation, digest) = match by.as_deref() {
        Some(ServedBy { generation, digest, .. }) => (*generation, bytes_of(digest)),
        None => (0, Vec::new()),
    };
    let (answer, failure) = match result {
        Ok(outputs) => {
            let output = |output: &crate::flow::Output| Output {
                after_ns: nanoseconds(output.after),
                frames: output.message.frames.to_vec(),
                metadata: pairs(&output.message.metadata, wanted),
            };
            (Some(Answer { outputs: outputs.iter().map(output).collect() }), None)
        }
        Err((reason, detail)) => {
            (None, Some(CallFailure { reason: reason.as_str().to_owned(), detail: detail.clone() }))
        }
    };
    let role = match (kind, by.as_deref().and_then(|by| by.message_role)) {
        (PlaceKind::Policy, _) => CallRole::Policy,
        (_, Some("transform")) => CallRole::Transform,
        _ => CallRole::Processor,
    };
    Call {
        plugin: plugin.clone(),
        generation,
        digest,
        number: *number,
        nanos: nanoseconds(*took),
        stage: u32::try_from(*stage).unwrap_or(u32::MAX),
        answer,
        failure,
        role: role.into(),
        buckets: buckets.as_deref().map(Buckets::from),
    }
}

fn pairs(metadata: &Metadata, wanted: &Wanted) -> Vec<Pair> {
    let pair = |(key, value): &(String, String)| Pair { key: key.clone(), value: wanted.shown(key, value).to_owned() };
    metadata.iter().map(pair).collect()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The bytes that a digest stands for in hexadecimal.
fn bytes_of(digest: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digest.as_bytes().chunks(2).filter_map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::record::capture::asked::Asked;
    use std::time::SystemTime;

    #[test]
    fn a_call_has_the_role_under_whose_name_it_drew() {
        let wanted = Wanted::of(&Asked::default(), &config::Capture::default()).unwrap();
        for (message_role, place, role) in [
            (Some("transform"), OwnedPlace::Flow(String::new()), CallRole::Transform),
            (Some("processor"), OwnedPlace::Route(String::new()), CallRole::Processor),
            (None, OwnedPlace::Flow(String::new()), CallRole::Processor),
            (Some("transform"), OwnedPlace::Policy(String::new()), CallRole::Policy),
        ] {
            let (plugin, digest) = ("p".to_owned(), "ab".to_owned());
            let by = ServedBy { plugin: plugin.clone(), generation: 1, digest, artifact: None, message_role };
            let by = Some(by.into());
            let result = Ok(crate::flow::Outputs::new());
            let call = RecordedCall { plugin, by, number: 1, took: Duration::ZERO, stage: 0, result, buckets: None };
            let (frames, metadata) = (crate::flow::Frames::new(), Metadata::new());
            let recorded = Recorded { at: SystemTime::now(), place, frames, metadata, call: Some(call) };
            let (_, _, record) = converted(&recorded, &wanted);
            assert_eq!(record.call.unwrap().role(), role);
        }
    }
}
