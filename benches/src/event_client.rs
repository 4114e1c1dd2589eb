//! A client of `/events`, over a connection of its own.

use crate::peer::read_number;
use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Far longer than a stream takes to open.
const OPEN_MAX: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 64 << 10;
/// What every stream begins with.
const OPENING: &[u8] = b"retry: ";
/// The line that ends the answer, after which the connection could be used again.
const LAST_CHUNK: &[u8] = b"0\r";

/// A stream of events that is open.
pub struct EventClient {
    connection: TcpStream,
    /// What came after the last whole line.
    rest: Vec<u8>,
    /// The numbered messages that have come.
    pub messages: u64,
    /// Those among them that came out of their order, or had one lost before them.
    pub out_of_order: u64,
    pub has_ended: bool,
}

impl EventClient {
    /// Opens a stream of the messages that begin with `topic`.
    pub fn open(address: SocketAddr, topic: &str) -> Result<Self> {
        let mut connection = TcpStream::connect_timeout(&address, OPEN_MAX).context("connecting")?;
        connection.set_read_timeout(Some(OPEN_MAX))?;
        connection.write_all(format!("GET /events?topic={topic} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
        let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
        while !head.windows(OPENING.len()).any(|window| window == OPENING) {
            let read = connection.read(&mut chunk).context("waiting for a stream to open")?;
            head.extend_from_slice(&chunk[..read]);
            let is_open = read > 0 && head.len() < HEAD_BYTES_MAX;
            ensure!(is_open, "no stream of events: {:?}", String::from_utf8_lossy(&head));
        }
        connection.set_nonblocking(true)?;
        Ok(Self { connection, rest: Vec::new(), messages: 0, out_of_order: 0, has_ended: false })
    }

    /// Takes what has come, without waiting for more.
    pub fn take(&mut self) -> Result<()> {
        let mut chunk = [0; 32 << 10];
        while !self.has_ended {
            match self.connection.read(&mut chunk) {
                Ok(0) => self.has_ended = true,
                Ok(read) => self.count(&chunk[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => self.has_ended = true,
                Err(error) => bail!("a stream of events broke: {error}"),
            }
        }
        Ok(())
    }

    fn count(&mut self, received: &[u8]) {
        self.rest.extend_from_slice(received);
        let Some(end) = self.rest.iter().rposition(|&byte| byte == b'\n') else { return };
        for line in self.rest[..end].split(|&byte| byte == b'\n') {
            self.has_ended |= line == LAST_CHUNK;
            if let Some(number) = line.strip_prefix(b"data: ").and_then(read_number) {
                self.out_of_order += u64::from(number != self.messages);
                self.messages += 1;
            }
        }
        self.rest.drain(..=end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn what_comes_in_pieces_and_what_is_lost_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("it comes");
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nretry: 1\nid: a\n\n").expect("heard");
            stream
        });
        let mut client = EventClient::open(address, "x").expect("it opens");
        let mut server = server.join().expect("it came");
        for piece in
            ["id: a\nda", "ta: 0000000000\n\nid: b\ndata: 0000000001", "\n\nid: c\ndata: 0000000003\n\n\r\n0\r\n\r\n"]
        {
            server.write_all(piece.as_bytes()).expect("heard");
        }
        while !client.has_ended {
            client.take().expect("it goes on");
        }
        assert_eq!((client.messages, client.out_of_order), (3, 1));
    }
}
