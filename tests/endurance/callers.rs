//! HTTP clients that reuse their connection, number their messages, and count every answer.

use super::pace::Schedule;
use super::run::Run;
use super::sequence::Sequence;
use crate::harness::LONG_PATIENCE;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The size of a large message in bytes.
const LARGE: usize = 8 << 10;

/// The results of one caller.
#[derive(Debug, Default)]
pub struct Called {
    /// Answers by route and status.
    pub answers: BTreeMap<(&'static str, u16), u64>,
    /// The numbers of the messages that were answered with 200, in order.
    pub published: Sequence,
    /// Requests without an answer, because the host closed the connection first.
    pub unanswered: u64,
}

/// One HTTP request and its route.
struct Call {
    route: &'static str,
    request: Vec<u8>,
}

impl Call {
    /// The request with this number. Most go to `x`, some of them large; some go to `trap`, and half of those make it
    /// trap.
    fn new(caller: u64, number: u64) -> Self {
        let get = |route: &str, param: &str| format!("GET /{route}/?param={param} HTTP/1.1\r\nhost: x\r\n\r\n");
        let (route, text) = match number % 50 {
            7 | 31 => ("trap", get("trap", &format!("T{caller}-{number}"))),
            8 | 32 => ("trap", get("trap", &format!("{caller}-{number}-"))),
            rest if rest % 4 == 0 => {
                let body = format!("{caller}-{number}-{}", "Z".repeat(LARGE));
                ("x", format!("POST /x/ HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
            }
            _ => ("x", get("x", &format!("{caller}-{number}-"))),
        };
        Self { route, request: text.into_bytes() }
    }
}

/// The caller and the number of a published message; none for any other message.
pub fn number_of(published: &[u8]) -> Option<(u64, u64)> {
    let text = [b"lower case of ".as_slice(), b"upper case of "]
        .iter()
        .find_map(|prefix| published.strip_prefix(*prefix))
        .unwrap_or(published);
    let mut parts = text.splitn(3, |&byte| byte == b'-').map(|part| std::str::from_utf8(part).ok()?.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Makes requests until the run is over, or until the host closes the connection while it stops.
pub fn call(run: &Run, address: &str, caller: u64, mut schedule: Schedule, stopping: bool) -> Called {
    let _guard = run.end_on_panic();
    let mut called = Called::default();
    let mut connection = Connection::open(address).expect("a connection");
    for number in 0.. {
        while !run.is_over() && !schedule.take() {
            std::thread::sleep(schedule.left().min(Duration::from_millis(50)));
        }
        if run.is_over() {
            break;
        }
        let call = Call::new(caller, number);
        let (status, stays) = match connection.exchange(&call.request) {
            Ok(answer) => answer,
            Err(_) if stopping => {
                called.unanswered += 1;
                break;
            }
            Err(error) => panic!("request {number} of caller {caller} has no answer: {error}"),
        };
        *called.answers.entry((call.route, status)).or_default() += 1;
        match (call.route, status) {
            (_, 200) => called.published.add(number),
            ("trap", 502) | (_, 503) => {}
            other => panic!("request {number} of caller {caller}: {other:?}"),
        }
        if !stays {
            connection = match Connection::open(address) {
                Ok(connection) => connection,
                Err(_) if stopping => break,
                Err(error) => panic!("connecting anew: {error}"),
            };
        }
    }
    called
}

/// A persistent connection, with as much of HTTP/1.1 as the test needs.
struct Connection {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LONG_PATIENCE))?;
        stream.set_write_timeout(Some(LONG_PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), line: String::new(), body: Vec::new() })
    }

    /// Sends a request and reads its answer. Returns the status, and whether the connection can be reused.
    fn exchange(&mut self, request: &[u8]) -> io::Result<(u16, bool)> {
        self.stream.get_mut().write_all(request)?;
        let status = self.line()?.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("not an answer of HTTP"))?;
        let (mut length, mut stays) = (0, true);
        loop {
            let line = self.line()?.trim_end().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().map_err(io::Error::other)?,
                Some(("connection", "close")) => stays = false,
                None if line.is_empty() => break,
                _ => {}
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok((status, stays))
    }

    fn line(&mut self) -> io::Result<&str> {
        self.line.clear();
        match self.stream.read_line(&mut self.line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(&self.line),
        }
    }
}

/// Makes requests, to a plugin that is used here only, whose clients disconnect early. Returns how many it began.
pub fn disconnect_early(address: &str) -> u64 {
    let whole = b"POST /gone/ HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
    let head = b"POST /gone/ HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\nthe beginning of a body";
    // One disconnects in the middle of its body, one before its answer, one in the middle of its head.
    let requests = [head.as_slice(), whole, &whole[..20]];
    for request in requests {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(request).expect("a connection that takes a request");
    }
    requests.len() as u64
}
