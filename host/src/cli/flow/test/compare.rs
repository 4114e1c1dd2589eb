//! How what came out of a flow differs from what its example promises.

use super::examples::ExpectedFailure;
use crate::cli::flow::offline::FailedCall;
use crate::config::OnError;
use crate::flow::Message;
use crate::plugin::{Content, difference};

/// # Errors
/// The first difference, for people to read.
pub(super) fn compare_messages(sink: &str, expected: &[Vec<Content>], got: &[Message]) -> Result<(), String> {
    // What both have comes first: there the first difference is.
    for (index, (expected, message)) in expected.iter().zip(got).enumerate() {
        for (position, (expected, frame)) in expected.iter().zip(&message.frames).enumerate() {
            difference::same_bytes(&format!("frame {position} of message {index} to {sink}"), expected.bytes(), frame)?;
        }
        let what = format!("number of frames of message {index} to {sink}");
        same_count(&what, expected.len(), message.frames.len(), || shown(message))?;
    }
    let surplus = || got.get(expected.len()).map_or_else(|| "nothing more".to_owned(), shown);
    same_count(&format!("number of messages to {sink}"), expected.len(), got.len(), surplus)
}

/// # Errors
/// The first difference, for people to read.
pub(super) fn compare_failures(
    expected: &[ExpectedFailure],
    got: &[FailedCall],
    on_error: OnError,
) -> Result<(), String> {
    for (index, (expected, FailedCall { stage: plugin, failure, .. })) in expected.iter().zip(got).enumerate() {
        let what = |of: &str| format!("the {of} of failure {index}");
        same_word(&what("plugin"), &expected.plugin, plugin)?;
        if let Some(reason) = &expected.reason {
            same_word(&what("reason"), reason, failure.reason.as_str())?;
        }
        if let Some(part) = expected.contains.as_ref().filter(|part| !failure.detail.contains(*part)) {
            let got = format!("{:?}", failure.detail);
            return Err(difference::difference(&what("text"), format!("something with {part:?}"), got));
        }
        if let Some(then) = expected.then.filter(|then| *then != on_error) {
            return Err(difference::difference(&what("consequence"), format!("{then:?}"), format!("{on_error:?}")));
        }
    }
    let surplus = || match got.get(expected.len()) {
        Some(FailedCall { stage, failure, .. }) => format!("{stage}: {}: {}", failure.reason.as_str(), failure.detail),
        None => "nothing more".to_owned(),
    };
    same_count("number of failures", expected.len(), got.len(), surplus)
}

fn same_word(what: &str, expected: &str, got: &str) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(difference::difference(what, expected, got)) }
}

/// `surplus` is the first that is not expected, or nothing more where some are missing.
fn same_count(what: &str, expected: usize, got: usize, surplus: impl Fn() -> String) -> Result<(), String> {
    match expected == got {
        true => Ok(()),
        false => Err(difference::difference(what, expected, format!("{got}: {}", surplus()))),
    }
}

fn shown(message: &Message) -> String {
    message.frames.iter().map(|frame| difference::show(frame)).collect::<Vec<_>>().join(", ")
}
