//! Captures as files of calls.

use super::captured_call::{CallSource, CapturedCall, CapturedRole, CapturedSeed, Digests, Entry, Skip, Told};
use crate::buckets::BucketLog;
use crate::flow::Message;
use crate::plugin::{RoleName, hex};
use crate::record::capture::record::{Call, CallRole, Record};
use crate::record::capture::{CaptureError, CaptureFile, Choice, Lost};
use crate::system::output::note;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A capture, which every reading opens anew.
pub(super) struct Capture {
    file: PathBuf,
    /// What is said of what cannot be read.
    told: Told,
}

impl Capture {
    /// # Errors
    /// When the file is no capture of Tidegate.
    pub(super) fn open(file: &Path, told: Told) -> Result<Self, CaptureError> {
        CaptureFile::open(file)?;
        Ok(Self { file: file.to_owned(), told })
    }
}

impl CallSource for Capture {
    fn each_until(&self, found: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), String> {
        let file = CaptureFile::open(&self.file).map_err(|error| error.to_string())?;
        let seed = file.about().seed;
        let (mut records, mut last) = (file.records(Choice::default()), LastDigest::default());
        for number in 1.. {
            let Some(captured) = records.next() else { break };
            let captured = captured.map_err(|error| error.to_string())?;
            if found(entry(number, captured.record, seed, &mut last)).is_break() {
                return Ok(());
            }
        }
        let Lost { cut_off, chunks, records } = records.lost();
        if self.told == Told::OnStderr && (cut_off > 0 || chunks > 0) {
            let file = self.file.display();
            note(format_args!(
                "{file}: {chunks} chunks are broken, and of its last one {cut_off} bytes are there; skipped"
            ));
        }
        for _ in 0..chunks.saturating_add(records).saturating_add(u64::from(cut_off > 0)) {
            if found(Entry::Skipped(Skip::Broken)).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The digest of the call before, as it stands in the file and as a name.
#[derive(Default)]
struct LastDigest {
    bytes: Vec<u8>,
    text: String,
    digests: Digests,
}

fn entry(number: u64, record: Record, seed: u64, last: &mut LastDigest) -> Entry {
    let Record { frames, metadata, call } = record;
    let Some(call) = call else { return Entry::Skipped(Skip::NoCall) };
    let (role, name) = match call.role() {
        CallRole::Transform => (CapturedRole::Processor, RoleName::TRANSFORM),
        CallRole::Processor => (CapturedRole::Processor, RoleName::PROCESSOR),
        CallRole::Policy => (CapturedRole::ReplyPolicy, RoleName::REPLY_POLICY),
        CallRole::Handler => return Entry::Skipped(Skip::Handler),
    };
    let Call { plugin, digest, number: call_number, buckets, .. } = call;
    let buckets = Arc::new(buckets.map(BucketLog::from).unwrap_or_default());
    let digest = (!digest.is_empty()).then(|| {
        if last.bytes != digest {
            (last.text, last.bytes) = (hex(&digest), digest);
        }
        last.digests.of(&last.text)
    });
    let message = Message {
        metadata: metadata.into_iter().map(|pair| (pair.key, pair.value)).collect(),
        frames: frames.into(),
        ..Message::default()
    };
    let seed = CapturedSeed { value: seed, role: digest.as_ref().map(|_| name), digest, number: call_number, buckets };
    Entry::Call { plugin, call: CapturedCall { number, role, message, seed } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_draws_under_the_name_of_the_role_that_served() {
        let seed_role = |role: CallRole, digest: &[u8]| {
            let call = Call { plugin: "p".to_owned(), digest: digest.to_vec(), role: role.into(), ..Call::default() };
            let record = Record { call: Some(call), ..Record::default() };
            match entry(1, record, 7, &mut LastDigest::default()) {
                Entry::Call { call, .. } => (call.role, call.seed.role),
                Entry::Skipped(skip) => panic!("{skip:?}"),
            }
        };
        assert_eq!(seed_role(CallRole::Transform, b"d"), (CapturedRole::Processor, Some(RoleName::TRANSFORM)));
        assert_eq!(seed_role(CallRole::Processor, b"d"), (CapturedRole::Processor, Some(RoleName::PROCESSOR)));
        assert_eq!(seed_role(CallRole::Policy, b"d"), (CapturedRole::ReplyPolicy, Some(RoleName::REPLY_POLICY)));
        assert_eq!(seed_role(CallRole::Processor, b"").1, None, "no component was reached");
    }
}
