//! Calls that are told what others were told, and calls whose writes nobody else sees.

use super::*;
use crate::buckets::{BucketUse, Memory, SharedLog};
use futures_util::FutureExt;

fn perform(bucket: &dyn Bucket, operation: Operation) -> Performed {
    bucket.perform(operation).now_or_never().expect("it does not wait")
}

fn get(key: &str) -> Operation {
    Operation::Get { key: key.to_owned() }
}

fn set(key: &str, value: &'static str) -> Operation {
    Operation::Set { key: key.to_owned(), value: value.into() }
}

fn add(key: &str, delta: i64) -> Operation {
    Operation::Increment { key: key.to_owned(), delta }
}

fn value(text: &'static str) -> Performed {
    Ok(Reply::Value(Some(text.into())))
}

/// What a bucket says to these operations, one after another, while another call interferes before each.
fn logged(operations: &[Operation], other: Operation) -> (Arc<BucketLog>, Vec<Performed>) {
    let (bucket, log) = (Memory::new(&config::Bucket::default()), SharedLog::default());
    let told = operations.iter().map(|operation| {
        perform(&bucket, other.clone()).unwrap();
        let performed = perform(&bucket, operation.clone());
        log.add(BucketUse::of("b", operation, &performed));
        performed
    });
    let told = told.collect();
    (log.take().unwrap(), told)
}

#[test]
fn a_call_that_is_made_again_is_told_the_same_whatever_others_did_meanwhile() {
    let swap = Operation::Swap { key: "n".to_owned(), version: 1, value: "9".into() };
    let list = Operation::ListKeys { cursor: None };
    let watch = Operation::Watch { key: "n".to_owned() };
    let operations = [get("n"), add("n", 1), get("n"), set("x", "1"), add("x", i64::MAX), watch, swap, list];
    let (log, told) = logged(&operations, add("n", 5));
    let again = Scratch::again("b", log);
    for (operation, told) in operations.into_iter().zip(told) {
        let told = told.map_err(|error| BucketError::Again(error.to_string()));
        assert_eq!(perform(&again, operation), told);
    }
}

#[test]
fn another_call_is_told_what_is_known_and_of_the_rest_that_it_is_not_there() {
    let (log, _) = logged(&[add("n", 1), get("seen"), set("x", "1")], add("n", 5));
    let again = Scratch::again("b", Arc::clone(&log));
    // It was 5 before, whichever way one asks.
    assert_eq!(perform(&again, get("n")), value("5"));
    assert_eq!(perform(&again, add("n", 2)), Ok(Reply::Number(7)));
    assert_eq!(perform(&again, get("n")), value("7"));
    for unknown in ["seen", "other", "x"] {
        assert_eq!(perform(&again, Operation::Exists { key: unknown.to_owned() }), Ok(Reply::Exists(false)));
    }
    let other = Scratch::again("c", log);
    assert_eq!(perform(&other, get("n")), Ok(Reply::Value(None)), "of another bucket");
}

#[test]
fn more_of_the_same_than_was_told_goes_on_from_there() {
    let (log, _) = logged(&[add("n", 1), add("n", 1)], add("n", 0));
    let again = Scratch::again("b", log);
    let numbers: Vec<_> = (0..4).map(|_| perform(&again, add("n", 1))).collect();
    assert_eq!(numbers, [1, 2, 3, 4].map(|number| Ok(Reply::Number(number))));
}

#[test]
fn what_is_written_above_a_bucket_stays_above_it() {
    let bucket: Arc<dyn Bucket> = Arc::new(Memory::new(&config::Bucket::default()));
    for operation in [set("a", "1"), set("b", "2")] {
        perform(&*bucket, operation).unwrap();
    }
    let scratch = Scratch::above(Arc::clone(&bucket));
    assert_eq!(perform(&scratch, get("a")), value("1"));
    assert_eq!(perform(&scratch, add("a", 1)), Ok(Reply::Number(2)));
    perform(&scratch, Operation::Delete { key: "b".to_owned() }).unwrap();
    perform(&scratch, set("c", "3")).unwrap();
    let list = Operation::ListKeys { cursor: None };
    let keys = |keys: &[&str]| Ok(Reply::Keys { keys: keys.iter().map(|&key| key.to_owned()).collect(), cursor: None });
    assert_eq!(perform(&scratch, list.clone()), keys(&["a", "c"]));
    assert_eq!((perform(&*bucket, list), perform(&*bucket, get("a"))), (keys(&["a", "b"]), value("1")));
    let watch = Operation::Watch { key: "a".to_owned() };
    let Ok(Reply::Versioned { version, .. }) = perform(&scratch, watch) else { panic!() };
    perform(&scratch, add("a", 1)).unwrap();
    let swap = |version| Operation::Swap { key: "a".to_owned(), version, value: "0".into() };
    let Ok(Reply::Versioned { version, .. }) = perform(&scratch, swap(version)) else { panic!("it has changed") };
    assert_eq!(perform(&scratch, swap(version)), Ok(Reply::Done));
}

#[test]
fn a_call_that_serves_nobody_writes_no_more_than_a_bound() {
    let scratch = Scratch::empty();
    let half: Bytes = vec![0; BUCKET_SCRATCH_BYTES_MAX / 2].into();
    let set = |key: &str| Operation::Set { key: key.to_owned(), value: half.clone() };
    assert_eq!(perform(&scratch, set("a")), Ok(Reply::Done));
    assert!(matches!(perform(&scratch, set("b")), Err(BucketError::TrialFull(_))));
    assert_eq!(perform(&scratch, set("a")), Ok(Reply::Done), "no more than before");
}
