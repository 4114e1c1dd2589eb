//! Does what a message's body or a request's first frame says, `word` or `word:text`; ../README.md lists the words.

#[cfg(target_arch = "wasm32")]
mod memory;

use exports::tidegate::plugin::{processor, reply_policy};
use std::cell::Cell;
use std::fmt::Debug;
use std::net::{TcpStream, ToSocketAddrs};
use tidegate::plugin::types::{Error, Message};
use wasi::cli::{environment, stdin};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::config::store;
use wasi::logging::logging::{Level, log};
use wasi::random::{insecure, random};

wit_bindgen::generate!({ path: "wit", generate_all });

struct Plugin;

export!(Plugin);

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

impl processor::Guest for Plugin {
    fn process(input: Message) -> Result<Vec<Message>, Error> {
        log_panics();
        let (body, before) = input.frames.split_last().expect("a message has at least one frame");
        let with = |metadata, body: &str| Message { metadata, frames: [before, &[body.as_bytes().to_vec()]].concat() };
        let text = String::from_utf8_lossy(body);
        let (word, text) = text.split_once(':').unwrap_or((&text, ""));
        match word {
            "split" => return Ok(text.split(',').map(|part| with(input.metadata.clone(), part)).collect()),
            "frames" => return Ok(vec![Message { metadata: Vec::new(), frames: Vec::new() }]),
            _ => {}
        }
        Ok(answer(word, text)?.map(|answer| with(Vec::new(), &answer)).into_iter().collect())
    }
}

impl reply_policy::Guest for Plugin {
    fn replies(request: reply_policy::Request) -> Result<Vec<reply_policy::Reply>, Error> {
        log_panics();
        let frames = request.message.frames;
        let with = |frames| Message { metadata: Vec::new(), frames };
        let first = String::from_utf8_lossy(&frames[0]);
        let (word, text) = first.split_once(':').unwrap_or((&first, ""));
        let delays_ms = match word {
            "none" => Vec::new(),
            "twice" => vec![0, 100],
            "random" => random_delays_ms(),
            "nothing" => return Ok(vec![reply_policy::Reply { delay_ms: 0, message: with(Vec::new()) }]),
            _ => return answer(word, text).map(|_| Vec::new()),
        };
        let reply = |delay_ms| reply_policy::Reply { delay_ms, message: with(frames.clone()) };
        Ok(delays_ms.into_iter().map(reply).collect())
    }
}

fn answer(word: &str, text: &str) -> Result<Option<String>, Error> {
    let answer = match word {
        "downcase" => format!("lower case of {text} is {}", text.to_lowercase()),
        "filter" => return Ok(None),
        "reject" => return Err(Error::Rejected(text.to_owned())),
        "fail" => return Err(Error::Failed(text.to_owned())),
        "throw" => panic!("nobody catches this"),
        "loop" => loop {
            std::hint::spin_loop();
        },
        "memory" => fill(),
        "big" => "x".repeat(text.parse().expect("a number")),
        "remember" => {
            CALLS.set(CALLS.get() + 1);
            CALLS.get().to_string()
        }
        "setting" => store::get(text).ok().flatten().unwrap_or_else(|| "not set".to_owned()),
        "log" => {
            log(Level::Info, "stdout", text);
            log(Level::Error, "stderr", text);
            text.to_owned()
        }
        "random" => {
            let bytes: String = random::get_random_bytes(8).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{bytes} {}", insecure::get_insecure_random_u64())
        }
        "clock" => {
            let wall = wall_clock::now();
            let monotonic = monotonic_clock::now() as f64 / 1e9;
            format!("{}.{:09} {monotonic}", wall.seconds, wall.nanoseconds)
        }
        "file" => tried(std::fs::read("/etc/passwd")),
        "socket" => tried(TcpStream::connect("127.0.0.1:80")),
        "lookup" => tried("localhost:80".to_socket_addrs().map(|_| ())),
        "environment" => format!("{:?}", environment::get_environment()),
        "arguments" => format!("{:?}", environment::get_arguments()),
        "stdin" => tried(stdin::get_stdin().blocking_read(1)),
        _ => return Err(Error::Rejected(format!("no word: {word}"))),
    };
    Ok(Some(answer))
}

/// What the attempt gives, or the error of the language.
fn tried<T: Debug, E: Debug>(attempt: Result<T, E>) -> String {
    attempt.map_or_else(|error| format!("error: {error:?}"), |value| format!("{value:?}"))
}

fn fill() -> ! {
    let mut held = Vec::new();
    loop {
        held.push(vec![1_u8; 1 << 20]);
    }
}

/// As the plugin random-replies.
fn random_delays_ms() -> Vec<u32> {
    let bytes = random::get_random_bytes(5);
    bytes[1..].iter().take(usize::from(bytes[0]) % 5).map(|byte| 1000 / (u32::from(*byte) % 10 + 1)).collect()
}

/// A panic has no stderr to write to here.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log(Level::Critical, "panic", &panic.to_string())));
}
