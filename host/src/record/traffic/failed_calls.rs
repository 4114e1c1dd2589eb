//! The failed calls of a capture as the dead letters that a host writes of such.

use crate::flow::Message;
use crate::record::capture::record::{CallRole, Record};
use crate::record::capture::{About, CaptureError, CaptureFile, Captured, Lost, PlaceKind, REDACTED};
use crate::record::choice::Choice;
use crate::record::dead_letters::{By, Input, Letter, LetterHop, LetterSeed, REQUEST_ID};
use std::path::Path;

/// Hands on each call of a capture that failed and may be chosen, as a letter. Its place is not looked at: a letter's route is more
/// than that of a record. Returns what could not be read.
///
/// # Errors
/// When the file is no capture, or cannot be read any further.
pub fn failed_calls(file: &Path, choice: &Choice, mut found: impl FnMut(Letter)) -> Result<Lost, CaptureError> {
    let file = CaptureFile::open(file)?;
    let about = file.about().clone();
    let mut records = file.records(Choice { failed: true, places: Vec::new(), ..choice.clone() });
    for captured in records.by_ref() {
        letter(captured?, &about).into_iter().for_each(&mut found);
    }
    Ok(records.lost())
}

/// What a host would have written, if nothing had been before this call: the message is what went into the plugin that failed.
fn letter(captured: Captured, about: &About) -> Option<Letter> {
    let Captured { kind, name, time, record: Record { frames, metadata, call } } = captured;
    let call = call?;
    let failure = call.failure.as_ref()?;
    let id = metadata.iter().find(|pair| pair.key == REQUEST_ID && pair.value != REDACTED);
    // A message of a socket is no request, and the number of its call is that of no other.
    let id = id.map_or_else(|| format!("call-{}", call.number), |pair| pair.value.clone());
    let metadata = metadata.into_iter().filter(|pair| pair.value != REDACTED);
    let metadata = metadata.map(|pair| (pair.key, pair.value)).collect();
    let message = Message { metadata, frames: frames.into(), ..Message::default() };
    let is_request = kind == PlaceKind::Policy || call.role() == CallRole::Policy;
    let input = if is_request { Input::request(message) } else { Input::from(message) };
    let time =
        jiff::Timestamp::from_nanosecond(time.into()).map_or_else(|_| String::new(), |time| format!("{time:.3}"));
    let by = (call.generation > 0).then(|| By::new(&call.plugin, call.generation, &call.digest));
    Some(Letter {
        id,
        time,
        hop: LetterHop::of(&input),
        route: Letter::route_of(kind, &name),
        reason: failure.reason.clone(),
        error: failure.detail.clone(),
        by,
        met: None,
        seed: LetterSeed { value: about.seed, fixed: about.seed_fixed },
        number: call.number,
        input,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::capture::record::{Call, CallFailure, Pair};
    use crate::record::traffic::Entry;

    fn captured(kind: PlaceKind, role: CallRole, frames: &[&'static [u8]], id: Option<&str>) -> Captured {
        let failure = Some(CallFailure { reason: "trapped".to_owned(), detail: "it trapped".to_owned() });
        let (plugin, digest, role) = ("p".to_owned(), vec![0xab, 1], role.into());
        let call = Call { plugin, generation: 3, digest, number: 7, failure, role, ..Call::default() };
        let pair = |value: &str| Pair { key: REQUEST_ID.to_owned(), value: value.to_owned() };
        let metadata = id.map(pair).into_iter().collect();
        let frames = frames.iter().map(|frame| bytes::Bytes::from_static(frame)).collect();
        let record = Record { frames, metadata, call: Some(call) };
        Captured { kind, name: "n".to_owned(), time: 1_764_000_000_500_000_000, record }
    }

    #[test]
    fn a_failed_call_is_a_letter_and_that_is_the_call_again() {
        let about = About { seed: 9, seed_fixed: true, ..About::default() };
        for (kind, role, frames, route, hop) in [
            (PlaceKind::Route, CallRole::Processor, &[&b"body"[..]][..], "n", "transform"),
            (PlaceKind::Flow, CallRole::Processor, &[b"topic", b"body"], "flows.n", "transform"),
            (PlaceKind::Flow, CallRole::Processor, &[b"", b"body"], "flows.n", "processor"),
            (PlaceKind::Flow, CallRole::Policy, &[b"identity", b"", b"body"], "flows.n", "policy"),
            (PlaceKind::Policy, CallRole::Policy, &[b"identity"], "n", "policy"),
        ] {
            let captured = captured(kind, role, frames, Some("1-2"));
            let letter = letter(captured.clone(), &about).expect("a letter");
            assert_eq!((&*letter.route, letter.hop.as_str(), &*letter.id), (route, hop, "1-2"));
            assert_eq!((&*letter.time, letter.seed.value), ("2025-11-24T16:00:00.500Z", 9));
            assert_eq!(letter.by.as_ref().map(|by| (&*by.digest, by.generation)), Some(("ab01", 3)));
            assert_eq!(Entry::from(letter).captured, captured);
        }
    }

    #[test]
    fn what_has_no_name_is_called_by_its_number_and_what_did_not_fail_is_no_letter() {
        let mut captured = captured(PlaceKind::Flow, CallRole::Processor, &[b"x"], Some(REDACTED));
        let letter_of = |captured: &Captured| letter(captured.clone(), &About::default());
        let found = letter_of(&captured).expect("a letter");
        assert_eq!((&*found.id, found.input.into_frames().metadata), ("call-7", Vec::new()));
        captured.record.call.as_mut().expect("a call").failure = None;
        assert_eq!(letter_of(&captured), None);
        captured.record.call = None;
        assert_eq!(letter_of(&captured), None);
    }
}
