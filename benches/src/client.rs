//! An HTTP/1.1 client that repeats one request over one connection.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Far longer than any deadline of the host: after this, the server hangs.
const TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 16 << 20;

/// A client with one connection at a time. After an error it cannot be used any more.
pub struct Client {
    address: SocketAddr,
    stream: TcpStream,
    /// Whether the server closes the connection after each answer, as some do.
    is_closed: bool,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// One answer.
pub struct Answer<'a> {
    pub status: u16,
    /// Status line and headers.
    pub head: &'a str,
    pub body: &'a [u8],
}

impl Client {
    /// Connects, for requests of `path`.
    pub fn connect(address: SocketAddr, path: &str) -> Result<Self> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
        let received = Vec::with_capacity(4 << 10);
        Ok(Self { address, stream: open(address)?, is_closed: false, request, received })
    }

    /// Sends the request and waits for the whole answer.
    pub fn get(&mut self) -> Result<Answer<'_>> {
        if self.is_closed {
            self.stream = open(self.address)?;
        }
        self.stream.write_all(&self.request)?;
        self.received.clear();
        let head_bytes = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read(HEAD_BYTES_MAX)?;
        };
        let head = std::str::from_utf8(&self.received[..head_bytes]).map_err(|_| broken("the head is no text"))?;
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| broken("no status line"))?;
        self.is_closed = header(head, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let body_bytes = length(head).ok_or_else(|| broken("no content-length"))?;
        let answer_bytes = head_bytes + body_bytes.min(BODY_BYTES_MAX);
        while self.received.len() < answer_bytes {
            self.read(HEAD_BYTES_MAX + BODY_BYTES_MAX)?;
        }
        if self.received.len() > head_bytes + body_bytes {
            return Err(broken("more than one answer"));
        }
        let (head, body) = self.received.split_at(head_bytes);
        let head = std::str::from_utf8(head).map_err(|_| broken("the head is no text"))?;
        Ok(Answer { status, head, body })
    }

    fn read(&mut self, bytes_max: usize) -> Result<()> {
        let mut chunk = [0; 4 << 10];
        let read = self.stream.read(&mut chunk)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.received.extend_from_slice(&chunk[..read]);
        if self.received.len() > bytes_max { Err(broken("too long")) } else { Ok(()) }
    }
}

impl<'a> Answer<'a> {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        header(self.head, name)
    }
}

fn open(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn length(head: &str) -> Option<usize> {
    header(head, "content-length")?.parse().ok()
}

fn broken(how: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("the answer is not what a host sends: {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_server_that_closes_is_connected_to_again() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().expect("it comes again");
                let _ = stream.read(&mut [0; 1024]);
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok")
                    .expect("heard");
            }
        });
        let mut client = Client::connect(address, "/").expect("it listens");
        for _ in 0..2 {
            assert_eq!(client.get().expect("an answer").body, b"ok");
        }
        server.join().expect("both came");
    }
}
