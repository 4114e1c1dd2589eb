//! What is written is read again, whatever was captured and however the file ends.

use super::file::{CaptureWriter, WriteError};
use super::format::{About, Channel};
use super::reader::{CaptureError, CaptureFile, Captured, Lost};
use super::record::{Answer, Call, CallFailure, CallRole, Output, Pair, Record};
use super::{Choice, PlaceKind};
use crate::config::{
    CAPTURE_CHANNELS_MAX, CAPTURE_CHUNK_RECORDS_MAX, CAPTURE_INDEX_BYTES_MAX, CAPTURE_RECORD_BYTES_MAX,
};
use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

fn about() -> About {
    About { version: "0.1.0".to_owned(), boot: "boot".to_owned(), seed: 7, seed_fixed: true }
}

fn writer(path: &Path, bytes_max: u64) -> CaptureWriter<File> {
    CaptureWriter::new(File::create(path).unwrap(), &about(), Arc::new(AtomicU64::new(0)), bytes_max).unwrap()
}

fn channel(name: &str, topic: Option<&[u8]>) -> Channel {
    Channel { kind: PlaceKind::Flow, name: name.to_owned(), topic: topic.map(Vec::from) }
}

fn message(topic: &[u8], body: impl Into<Bytes>) -> Record {
    Record { frames: vec![Bytes::copy_from_slice(topic), body.into()], metadata: Vec::new(), call: None }
}

fn read(path: &Path, choice: Choice) -> (Vec<Captured>, Lost) {
    let mut records = CaptureFile::open(path).unwrap().records(choice);
    let all = records.by_ref().map(Result::unwrap).collect();
    (all, records.lost())
}

fn in_directory(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    (directory, path)
}

#[test]
fn a_call_is_read_as_it_was_written() {
    let (_directory, path) = in_directory("a.mcap");
    let pair = |key: &str| Pair { key: key.to_owned(), value: "v".to_owned() };
    let call = Call {
        plugin: "p".to_owned(),
        generation: 3,
        digest: vec![7; 32],
        number: u64::MAX,
        nanos: 1,
        stage: 1,
        answer: Some(Answer {
            outputs: vec![Output { after_ns: 9, frames: vec![Bytes::new()], metadata: vec![pair("out")] }],
        }),
        failure: Some(CallFailure { reason: "trapped".to_owned(), detail: "why".to_owned() }),
        role: CallRole::Policy.into(),
        buckets: None,
    };
    let record = Record { frames: vec![Bytes::from_static(b"\xff\0")], metadata: vec![pair("in")], call: Some(call) };
    let mut writer = writer(&path, u64::MAX);
    let policy = Channel { kind: PlaceKind::Policy, ..channel("p", None) };
    writer.write(&policy, 5, &record).unwrap();
    writer.finish().unwrap();

    let file = CaptureFile::open(&path).unwrap();
    assert_eq!((file.about(), file.bytes()), (&about(), fs::metadata(&path).unwrap().len()));
    let summary = file.summary().unwrap();
    assert_eq!((summary.records, summary.first, summary.last), (1, 5, 5));
    assert_eq!(summary.channels.values().collect::<Vec<_>>(), [&(policy, 1)]);
    let captured = Captured { kind: PlaceKind::Policy, name: "p".to_owned(), time: 5, record };
    assert_eq!(read(&path, Choice::default()), (vec![captured], Lost::default()));
}

#[test]
fn a_file_without_an_end_has_every_chunk_that_was_written() {
    let (_directory, path) = in_directory("a.mcap");
    let mut writer = writer(&path, u64::MAX);
    for time in 0..3 {
        writer.write(&channel("f", Some(b"t")), time, &message(b"t", "body")).unwrap();
        writer.flush().unwrap();
    }
    let whole = fs::read(&path).unwrap();
    writer.write(&channel("f", Some(b"late")), 9, &message(b"late", "body")).unwrap();
    std::mem::forget(writer);

    let (records, lost) = read(&path, Choice::default());
    assert_eq!((records.len(), lost), (3, Lost::default()));
    assert_eq!(CaptureFile::open(&path).unwrap().summary(), None);
    // In the middle of a chunk.
    fs::write(&path, &whole[..whole.len() - 60]).unwrap();
    let (records, lost) = read(&path, Choice::default());
    assert_eq!((records.len(), lost.chunks, lost.cut_off > 0), (2, 0, true));
}

#[test]
fn what_is_chosen_is_found_by_the_index_and_without_it() {
    let (_directory, path) = in_directory("a.mcap");
    let mut writer = writer(&path, u64::MAX);
    for (time, (name, topic)) in [("f", &b"ab"[..]), ("g", b"ab"), ("f", b"b"), ("f", b"\xff")].into_iter().enumerate()
    {
        writer.write(&channel(name, Some(topic)), time as u64, &message(topic, "")).unwrap();
        writer.flush().unwrap();
    }
    let one = Record { frames: vec![Bytes::from_static(b"a")], metadata: Vec::new(), call: None };
    writer.write(&channel("f", None), 4, &one).unwrap();
    writer.flush().unwrap();
    let times = |path: &Path, name: Option<&str>, topic: &[u8]| {
        let places = name.into_iter().map(|name| (PlaceKind::Flow, name.to_owned())).collect();
        let (records, lost) = read(path, Choice { places, topic: topic.to_vec(), ..Choice::default() });
        assert_eq!(lost, Lost::default());
        records.iter().map(|captured| captured.time).collect::<Vec<_>>()
    };
    let check = || {
        assert_eq!(times(&path, None, b""), [0, 1, 2, 3, 4]);
        assert_eq!(times(&path, Some("f"), b""), [0, 2, 3, 4]);
        assert_eq!(times(&path, Some("f"), b"a"), [0]);
        assert_eq!(times(&path, None, b"a"), [0, 1]);
        assert_eq!(times(&path, None, b"\xff"), [3]);
        assert_eq!(times(&path, Some("h"), b""), [0; 0]);
    };
    check();
    writer.finish().unwrap();
    check();
}

#[test]
fn topics_beyond_those_that_have_channels_share_one_and_lose_nothing() {
    let (_directory, path) = in_directory("a.mcap");
    let mut writer = writer(&path, u64::MAX);
    for number in 0..1_000_u64 {
        let topic = format!("topic-{number}").into_bytes();
        writer.write(&channel("f", Some(&topic)), number, &message(&topic, "body")).unwrap();
    }
    let long = vec![b'x'; 100_000];
    writer.write(&channel("f", Some(&long)), 1_000, &message(&long, "body")).unwrap();
    writer.finish().unwrap();
    let file = CaptureFile::open(&path).unwrap();
    assert_eq!(file.summary().unwrap().channels.len(), CAPTURE_CHANNELS_MAX + 1);
    let (records, _) = read(&path, Choice { topic: b"topic-999".to_vec(), ..Choice::default() });
    assert_eq!(records.len(), 1);
    assert_eq!(read(&path, Choice { topic: long, ..Choice::default() }).0.len(), 1);
}

#[test]
fn a_file_stays_within_its_bytes_and_is_whole() {
    for (bytes_max, body) in [(64 << 10, 10), (300 << 10, 5_000), (3 << 20, 100)] {
        let (_directory, path) = in_directory("a.mcap");
        let mut writer = writer(&path, bytes_max);
        let (mut state, mut written) = (1_u64, 0);
        let end = loop {
            // What cannot be compressed.
            let mut bytes = Vec::new();
            while bytes.len() < body {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                bytes.extend(state.to_be_bytes());
            }
            let topic = format!("{}", written % 7).into_bytes();
            match writer.write(&channel("f", Some(&topic)), written, &message(&topic, bytes)) {
                Ok(()) => written += 1,
                Err(end) => break end,
            }
        };
        assert!(matches!(end, WriteError::Full), "{end}");
        writer.finish().unwrap();
        let length = fs::metadata(&path).unwrap().len();
        assert!(length <= bytes_max && length > bytes_max / 2, "{length} of {bytes_max}");
        assert_eq!(CaptureFile::open(&path).unwrap().summary().unwrap().records, written);
        assert_eq!(read(&path, Choice::default()).0.len() as u64, written);
    }
}

#[test]
fn a_record_that_is_too_large_and_a_disk_that_is_full_are_told() {
    let (_directory, path) = in_directory("a.mcap");
    let mut writer = writer(&path, u64::MAX);
    let large = message(b"t", vec![0; CAPTURE_RECORD_BYTES_MAX]);
    assert!(matches!(writer.write(&channel("f", None), 0, &large), Err(WriteError::TooLarge(_))));
    writer.write(&channel("f", None), 0, &message(b"t", "")).unwrap();
    writer.finish().unwrap();
    assert_eq!(read(&path, Choice::default()).0.len(), 1);

    let full = File::options().write(true).open("/dev/full").unwrap();
    let result = CaptureWriter::new(full, &about(), Arc::new(AtomicU64::new(0)), u64::MAX);
    let error = result.err().expect("nothing can be written");
    assert!(error.to_string().contains("No space left"), "{error}");
}

#[test]
fn what_is_no_capture_is_called_so() {
    let (directory, path) = in_directory("a");
    let mut other = Vec::new();
    let options = mcap::WriteOptions::new().profile("ros2").compression(None);
    options.create(std::io::Cursor::new(&mut other)).unwrap().finish().unwrap();
    for (content, what) in [
        (&b""[..], "it is no MCAP file"),
        (b"{\"id\":1}", "it is no MCAP file"),
        (mcap::MAGIC, "does not say which host"),
        (&other, "its profile is `ros2`"),
    ] {
        fs::write(&path, content).unwrap();
        let error = CaptureFile::open(&path).unwrap_err().to_string();
        assert!(error.contains(what) && error.starts_with(&*path.to_string_lossy()), "{error}");
    }
    assert!(matches!(CaptureFile::open(directory.path()), Err(CaptureError::Other { .. })));
    assert!(matches!(CaptureFile::open(&directory.path().join("none")), Err(CaptureError::Io { .. })));
}

/// A file as a stranger makes it, whose one chunk has no checksum.
fn strange(path: &Path, records: usize, record: &Record) {
    let options = mcap::WriteOptions::new().profile("tidegate").compression(Some(mcap::Compression::Zstd));
    let options = options.chunk_size(None).calculate_chunk_crcs(false).disable_seeking(true);
    let mut writer = options.create(mcap::write::NoSeek::new(File::create(path).unwrap())).unwrap();
    let metadata = mcap::records::Metadata { name: "tidegate".to_owned(), metadata: about().to_pairs() };
    writer.write_metadata(&metadata).unwrap();
    let channel = channel("f", None);
    let channel_id = writer.add_channel(0, &channel.name(), "protobuf", &channel.to_pairs()).unwrap();
    let header = mcap::records::MessageHeader { channel_id, sequence: 0, log_time: 0, publish_time: 0 };
    for _ in 0..records {
        writer.write_to_known_channel(&header, &record.encode_to_vec()).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn a_small_chunk_that_becomes_a_large_one_is_broken() {
    let (_directory, path) = in_directory("a.mcap");
    let small = message(b"t", "");
    strange(&path, 10, &small);
    assert_eq!(read(&path, Choice::default()).0.len(), 10);
    strange(&path, CAPTURE_CHUNK_RECORDS_MAX + 1_000, &small);
    let (records, lost) = read(&path, Choice::default());
    assert_eq!((records.len(), lost.chunks), (CAPTURE_CHUNK_RECORDS_MAX, 1));
    strange(&path, 18, &message(b"t", vec![0; 4 << 20]));
    assert!(path.metadata().unwrap().len() < 1 << 20);
    let (records, lost) = read(&path, Choice::default());
    assert_eq!((records.len(), lost.chunks), (0, 1));
}

#[test]
fn a_file_is_full_with_what_its_index_may_have() {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut writer = CaptureWriter::new(std::io::sink(), &about(), Arc::clone(&bytes), u64::MAX).unwrap();
    let channels: Vec<_> =
        (0..CAPTURE_CHANNELS_MAX).map(|number| channel("f", Some(number.to_string().as_bytes()))).collect();
    let record = message(b"t", "");
    let mut chunks = 0_u64;
    let end = 'full: loop {
        for channel in &channels {
            if let Err(end) = writer.write(channel, 0, &record) {
                break 'full end;
            }
        }
        writer.flush().unwrap();
        chunks += 1;
        assert!(chunks < 10_000, "it is never full");
    };
    assert!(matches!(end, WriteError::Full), "{end}");
    let before = bytes.load(std::sync::atomic::Ordering::Relaxed);
    writer.finish().unwrap();
    let end = bytes.load(std::sync::atomic::Ordering::Relaxed) - before;
    assert!(end <= CAPTURE_INDEX_BYTES_MAX && end > CAPTURE_INDEX_BYTES_MAX / 8, "{end}");
}

proptest! {
    /// Whoever sends a capture may have made it up.
    #[test]
    fn a_broken_file_is_read_as_far_as_it_goes(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let (_directory, path) = in_directory("a.mcap");
        let mut writer = writer(&path, u64::MAX);
        for time in 0..20 {
            writer.write(&channel("f", Some(b"t")), time, &message(b"t", "body")).unwrap();
            if time % 5 == 0 {
                writer.flush().unwrap();
            }
        }
        writer.finish().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        fs::write(&path, &bytes).unwrap();
        if let Ok(file) = CaptureFile::open(&path) {
            let records = file.records(Choice::default()).filter(Result::is_ok).count();
            prop_assert!(records <= 20, "{records}");
        }
    }
}
