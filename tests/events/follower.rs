//! A client that follows events over a plain TCP connection, as an `EventSource` does.

use crate::harness::Host;
use crate::raw_http::{Raw, RawAnswer};
use std::collections::VecDeque;
use std::io::Read;

/// What stands between two empty lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub retry: Option<u64>,
    pub has_comment: bool,
}

impl Block {
    fn of(text: &str) -> Self {
        let mut block = Self::default();
        for line in text.split('\n').filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or_else(|| panic!("no field in {line:?}"));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" => block.has_comment = true,
                "id" => block.id = Some(value),
                "event" => block.event = Some(value),
                "retry" => block.retry = Some(value.parse().unwrap()),
                "data" => {
                    let before = block.data.take();
                    block.data = Some(before.map_or(value.clone(), |before| before + "\n" + &value));
                }
                _ => panic!("unknown field in {line:?}"),
            }
        }
        block
    }

    /// How many are missing here, if this says that any are.
    pub fn gap(&self) -> Option<serde_json::Value> {
        let data = self.data.as_ref().filter(|_| self.event.as_deref() == Some("gap"))?;
        Some(serde_json::from_str::<serde_json::Value>(data).unwrap()["missed"].take())
    }
}

/// One stream.
pub struct Follower {
    raw: Raw,
    head: RawAnswer,
    /// What came and is no whole block yet.
    text: String,
    blocks: VecDeque<Block>,
    /// The id that a browser would come back with.
    pub last_id: Option<String>,
}

impl Follower {
    /// Opens a stream.
    #[track_caller]
    pub fn of(host: &Host, path: &str) -> Self {
        Self::with(host, path, "")
    }

    /// As [`Follower::of`], going on after an event.
    #[track_caller]
    pub fn after(host: &Host, path: &str, id: &str) -> Self {
        Self::with(host, path, &format!("last-event-id: {id}\r\n"))
    }

    /// As [`Follower::of`], with lines of headers.
    #[track_caller]
    pub fn with(host: &Host, path: &str, headers: &str) -> Self {
        let (raw, head) = ask(host, path, headers);
        assert_eq!(head.status, 200, "{head:?}");
        Self { raw, head, text: String::new(), blocks: VecDeque::new(), last_id: None }
    }

    /// The address that the host sees.
    pub fn address(&self) -> String {
        self.raw.0.local_addr().unwrap().to_string()
    }

    pub fn header(&self, name: &str) -> &str {
        self.head.header(name).unwrap_or_default()
    }

    /// What comes next; none once the stream has ended.
    #[track_caller]
    pub fn block(&mut self) -> Option<Block> {
        while self.blocks.is_empty() {
            let chunk = self.chunk();
            if chunk.is_empty() {
                assert_eq!(self.text, "", "a whole block at the end");
                return None;
            }
            self.text += &chunk;
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                self.blocks.push_back(Block::of(block));
                self.text = rest.to_owned();
            }
        }
        let block = self.blocks.pop_front()?;
        self.last_id = block.id.clone().or(self.last_id.take());
        Some(block)
    }

    /// The next that a browser gives to its page.
    #[track_caller]
    pub fn event(&mut self) -> Block {
        loop {
            let block = self.block().expect("the stream goes on");
            if block.data.is_some() {
                return block;
            }
        }
    }

    /// The data of so many events.
    #[track_caller]
    pub fn data(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.event().data.unwrap()).collect()
    }

    fn chunk(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.raw.0.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        self.raw.0.read_exact(&mut chunk).unwrap();
        assert!(chunk.ends_with(b"\r\n"));
        chunk.truncate(length);
        String::from_utf8(chunk).unwrap()
    }
}

/// Asks for a stream, and gets the head of an answer.
#[track_caller]
pub fn ask(host: &Host, path: &str, headers: &str) -> (Raw, RawAnswer) {
    let mut raw = Raw::connect(host, "http");
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
    let head = raw.head().expect("an answer");
    (raw, head)
}
