//! What a captured call did with buckets, as people read it, and as programs do.

use crate::buckets::{BucketLog, BucketUse, OperationKind, Reply};
use crate::cli::output::render::{bytes, field};
use crate::record::capture::record::Call;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// A line for each use.
pub(super) fn text(call: &Call) -> String {
    let Some(log) = log(call) else { return String::new() };
    let mut text: String = log.uses.iter().map(line).collect();
    if log.is_cut {
        text += "bucket: more uses than are kept of a call\n";
    }
    text
}

fn line(one: &BucketUse) -> String {
    let BucketUse { bucket, kind, key, delta, reply } = one;
    let amount = if *kind == OperationKind::Increment { format!(" by {delta}") } else { String::new() };
    let asked = format!("bucket {bucket} {} {key}{amount}", kind.as_str());
    match reply {
        Ok(Reply::Done) => field(&asked, "done"),
        Ok(Reply::Exists(is_there)) => field(&asked, if *is_there { "yes" } else { "no" }),
        Ok(Reply::Number(number)) => field(&asked, &number.to_string()),
        Ok(Reply::Value(None) | Reply::Versioned { value: None, .. }) => field(&asked, "not there"),
        Ok(Reply::Value(Some(value)) | Reply::Versioned { value: Some(value), .. }) => bytes(&asked, value),
        Ok(Reply::Keys { keys, .. }) => field(&asked, &keys.join(" ")),
        Err(error) => field(&asked, error),
    }
}

/// Adds them to what is told of a call that used any.
pub(super) fn add(value: &mut Value, call: &Call) {
    let Some(log) = log(call) else { return };
    value["buckets"] = log.uses.iter().map(json).collect();
    value["buckets_cut"] = json!(log.is_cut);
}

fn json(one: &BucketUse) -> Value {
    let BucketUse { bucket, kind, key, delta, reply } = one;
    let mut value = json!({ "bucket": bucket, "operation": kind.as_str(), "key": key });
    if *kind == OperationKind::Increment {
        value["delta"] = json!(delta);
    }
    match reply {
        Ok(Reply::Done) => value["done"] = json!(true),
        Ok(Reply::Exists(is_there)) => value["exists"] = json!(is_there),
        Ok(Reply::Number(number)) => value["number"] = json!(number),
        Ok(Reply::Value(read) | Reply::Versioned { value: read, .. }) => {
            match read.as_ref().map(|read| std::str::from_utf8(read).map_err(|_| read)) {
                None => value["value"] = Value::Null,
                Some(Ok(text)) => value["value"] = json!(text),
                Some(Err(read)) => value["value_base64"] = json!(BASE64_STANDARD.encode(read)),
            }
        }
        Ok(Reply::Keys { keys, cursor }) => (value["keys"], value["cursor"]) = (json!(keys), json!(cursor)),
        Err(error) => value["error"] = json!(error),
    }
    value
}

fn log(call: &Call) -> Option<BucketLog> {
    call.buckets.clone().map(BucketLog::from)
}
