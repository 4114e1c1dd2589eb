//! An HTTP/1.1 client over plain TCP that sends the bytes it is given and parses no more than a test needs.

use crate::harness::{Host, LONG_PATIENCE};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

/// One TCP connection.
pub struct Raw(pub TcpStream);

/// One answer: its status, its head as text, and its body.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl RawAnswer {
    /// The value of a header; none if it is not there.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        self.head.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    }
}

impl Raw {
    /// Connects to a surface: `http` or `admin`.
    pub fn connect(host: &Host, surface: &str) -> Self {
        let stream = TcpStream::connect(host.surface(surface).split_once("://").unwrap().1).unwrap();
        stream.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
        stream.set_write_timeout(Some(LONG_PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends all bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Shuts down the sending side.
    pub fn half_close(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }

    /// The head of the next answer; none if the connection ended in order before its first byte.
    #[track_caller]
    pub fn head(&mut self) -> Option<RawAnswer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(0) if head.is_empty() => return None,
                Ok(1) => head.push(byte[0]),
                other => panic!("{other:?} after {}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(RawAnswer { status, head, body: String::new() })
    }

    /// The next answer, with as much body as its content-length says; none if the connection ended in order before it.
    #[track_caller]
    pub fn answer(&mut self) -> Option<RawAnswer> {
        let mut answer = self.head()?;
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    /// As [`Self::answer`], of one that may come in chunks too, as a busy host sends what is not whole at once.
    #[track_caller]
    pub fn whole_answer(&mut self) -> Option<RawAnswer> {
        let mut answer = self.head()?;
        let length = answer.header("content-length").map(|length| length.parse().unwrap());
        let mut body = Vec::new();
        loop {
            let size = length.unwrap_or_else(|| self.chunk_size());
            let start = body.len();
            body.resize(start + size, 0);
            self.0.read_exact(&mut body[start..]).unwrap();
            if length.is_some() {
                break;
            }
            self.0.read_exact(&mut [0; 2]).unwrap();
            if size == 0 {
                break;
            }
        }
        answer.body = String::from_utf8(body).unwrap();
        Some(answer)
    }

    fn chunk_size(&mut self) -> usize {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            line.push(byte[0]);
        }
        usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap()
    }

    /// The last answer, after which the host closes the connection.
    #[track_caller]
    pub fn last_answer(&mut self) -> RawAnswer {
        let answer = self.answer().expect("an answer");
        assert_eq!(self.rest(), b"", "after {answer:?}");
        answer
    }

    /// All bytes that arrive until the host closes or resets the connection.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        match self.0.read_to_end(&mut all) {
            Ok(_) => all,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => all,
            Err(error) => panic!("the connection is not ended: {error}"),
        }
    }
}
