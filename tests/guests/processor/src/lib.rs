//! A plugin of both roles of version 0.2.0 of the contract: each does what the last frame says, as `word:argument`.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package tests:processor;
        world plugin {
            include tidegate:plugin/processor-plugin@0.2.0;
            include tidegate:plugin/reply-policy-plugin@0.2.0;
        }",
    world: "tests:processor/plugin",
    generate_all,
});

use arena as _;
use arena as _;
use exports::tidegate::plugin::processor::Guest as Processor;
use exports::tidegate::plugin::reply_policy::{Guest as ReplyPolicy, Reply, Request};
use std::sync::atomic::{AtomicU32, Ordering};
use tidegate::plugin::types::{Error, Message};

struct Plugin;

export!(Plugin);

/// How often this instance was called.
static CALLS: AtomicU32 = AtomicU32::new(0);

impl Processor for Plugin {
    fn process(input: Message) -> Result<Vec<Message>, Error> {
        messages(input)
    }
}

impl ReplyPolicy for Plugin {
    /// Each message is a reply, the second and any further one 10 ms after the one before it.
    fn replies(request: Request) -> Result<Vec<Reply>, Error> {
        let identity = request.identity;
        let mut replies = Vec::new();
        for mut message in messages(request.message)? {
            if message.frames.first().is_some_and(|frame| frame == b"identity") {
                message.frames.push(identity.clone());
            }
            replies.push(Reply { delay_ms: if replies.is_empty() { 0 } else { 10 }, message });
        }
        Ok(replies)
    }
}

fn messages(input: Message) -> Result<Vec<Message>, Error> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let Message { metadata, mut frames } = input;
    let last = frames.pop().ok_or_else(|| Error::Rejected("there is no frame".to_owned()))?;
    let Ok(text) = String::from_utf8(last.clone()) else {
        // Not for this guest to read: it goes on as it came.
        frames.push(last);
        return Ok(vec![Message { metadata, frames }]);
    };
    let (word, argument) = text.split_once(':').unwrap_or((&text, ""));
    // The frames before the last one, with another behind them.
    let with = |last: &[u8]| {
        let mut frames = frames.clone();
        frames.push(last.to_vec());
        Message { metadata: Vec::new(), frames }
    };
    let count = || argument.parse::<usize>().map_err(|_| Error::Rejected(format!("`{argument}` is no number")));
    Ok(match word {
        "filter" => Vec::new(),
        "map" => vec![with(argument.to_uppercase().as_bytes())],
        "split" => argument.split(',').map(|part| with(part.as_bytes())).collect(),
        // So many, numbered from 0.
        "many" => (0..count()?).map(|number| with(number.to_string().as_bytes())).collect(),
        // So many messages that have nothing.
        "empty" => (0..count()?).map(|_| Message { metadata: Vec::new(), frames: vec![Vec::new()] }).collect(),
        // One message, and one that has no frames.
        "no-frames" => vec![with(b"first"), Message { metadata: Vec::new(), frames: Vec::new() }],
        // Four messages that have so many bytes together.
        "big" => (0..4).map(|_| count().map(|bytes| with(&vec![b'x'; bytes / 4]))).collect::<Result<_, _>>()?,
        // The metadata, as it came, and as frames.
        "metadata" => {
            let frames = metadata.iter().map(|(key, value)| format!("{key}={value}").into_bytes()).collect();
            vec![Message { metadata, frames }]
        }
        "calls" => vec![with(calls.to_string().as_bytes())],
        "reject" => return Err(Error::Rejected(argument.to_owned())),
        "fail" => return Err(Error::Failed(argument.to_owned())),
        "trap" => core::arch::wasm32::unreachable(),
        "loop" => loop {
            std::hint::spin_loop();
        },
        _ => {
            let message = with(text.as_bytes());
            vec![Message { metadata, ..message }]
        }
    })
}
