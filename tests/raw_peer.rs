//! A ZMTP 3 peer over plain TCP: it sends any bytes in any pieces, and reads only when a test calls for it.

use crate::harness::LONG_PATIENCE;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// One end of a connection, with none of libzmq's automatic behaviour but answers to PING.
pub struct RawPeer {
    stream: TcpStream,
}

impl RawPeer {
    /// Connects as a socket type (`SUB`, `DEALER`) with an identity, which may be empty, and completes the handshake.
    #[track_caller]
    pub fn connect(endpoint: &str, socket_type: &str, identity: &[u8]) -> Self {
        let mut this = Self::connect_silently(endpoint);
        this.greet();
        this.write(&ready(socket_type, identity)).unwrap();
        let (flags, body) = this.read_frame().unwrap();
        assert!(flags & COMMAND != 0 && body.starts_with(b"\x05READY"), "no READY: {}", body.escape_ascii());
        this
    }

    /// Connects, and sends nothing.
    #[track_caller]
    pub fn connect_silently(endpoint: &str) -> Self {
        let stream = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LONG_PATIENCE)).unwrap();
        stream.set_write_timeout(Some(LONG_PATIENCE)).unwrap();
        Self { stream }
    }

    /// Exchanges greetings of ZMTP 3.1 with the mechanism NULL.
    #[track_caller]
    pub fn greet(&mut self) {
        self.write(&greeting()).unwrap();
        self.stream.read_exact(&mut [0; 64]).unwrap();
    }

    /// The TCP stream, for what no method here offers: other timeouts, the addresses.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Writes raw bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a message.
    pub fn send(&mut self, frames: &[&[u8]]) -> io::Result<()> {
        self.write(&message(frames))
    }

    /// Shuts down the sending side; reading is still possible.
    pub fn end_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The next message. Commands are skipped, except that a PING is answered.
    pub fn receive(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        loop {
            let (flags, body) = self.read_frame()?;
            if flags & COMMAND != 0 {
                self.answer(&body)?;
                continue;
            }
            frames.push(body);
            if flags & MORE == 0 {
                return Ok(frames);
            }
        }
    }

    /// Waits for a PING, and answers it. Messages are skipped.
    pub fn receive_ping(&mut self) -> io::Result<()> {
        loop {
            let (flags, body) = self.read_frame()?;
            if flags & COMMAND != 0 && self.answer(&body)? {
                return Ok(());
            }
        }
    }

    /// The next command that is not a PING. PINGs are answered, messages are skipped.
    pub fn receive_command(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let (flags, body) = self.read_frame()?;
            if flags & COMMAND != 0 && !self.answer(&body)? {
                return Ok(body);
            }
        }
    }

    /// Answers a command if it is a PING. Returns whether it was one.
    fn answer(&mut self, command_body: &[u8]) -> io::Result<bool> {
        // After the name come two bytes of TTL and the context, which the PONG repeats.
        let Some(context) = command_body.strip_prefix(b"\x04PING").and_then(|rest| rest.get(2..)) else {
            return Ok(false);
        };
        self.write(&command("PONG", context))?;
        Ok(true)
    }

    /// Discards what arrives until the other end closes the connection.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        match io::copy(&mut self.stream, &mut io::sink()) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection is not ended: {error}"),
        }
    }

    /// Flags and body of the next frame.
    fn read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut flags = [0];
        self.stream.read_exact(&mut flags)?;
        let mut size = [0; 8];
        let from = if flags[0] & LONG == 0 { 7 } else { 0 };
        self.stream.read_exact(&mut size[from..])?;
        let mut body = vec![0; usize::try_from(u64::from_be_bytes(size)).unwrap()];
        self.stream.read_exact(&mut body)?;
        Ok((flags[0], body))
    }
}

/// The 64-byte greeting of ZMTP 3.1 with the mechanism NULL.
pub fn greeting() -> Vec<u8> {
    let mut bytes = [&b"\xff"[..], &[0; 8], b"\x7f\x03\x01NULL"].concat();
    bytes.resize(64, 0);
    bytes
}

/// The READY command, which ends the handshake of the mechanism NULL.
pub fn ready(socket_type: &str, identity: &[u8]) -> Vec<u8> {
    command("READY", &[property("Socket-Type", socket_type.as_bytes()), property("Identity", identity)].concat())
}

fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let size = u32::try_from(value.len()).unwrap().to_be_bytes();
    [&[u8::try_from(name.len()).unwrap()], name.as_bytes(), &size, value].concat()
}

/// The bytes of a command frame.
pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    frame(COMMAND, &[&[u8::try_from(name.len()).unwrap()], name.as_bytes(), data].concat())
}

/// The bytes of a multipart message.
pub fn message(frames: &[&[u8]]) -> Vec<u8> {
    let last = frames.len() - 1;
    frames.iter().enumerate().flat_map(|(index, body)| frame(if index < last { MORE } else { 0 }, body)).collect()
}

/// The bytes of one frame; with the flag [`MORE`], further frames of the message follow.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len() as u64;
    match u8::try_from(size) {
        Ok(size) => [&[flags, size], body].concat(),
        Err(_) => [&[flags | LONG][..], &size.to_be_bytes(), body].concat(),
    }
}

/// A subscription to a topic (`on`) or its cancellation, as a message, which all versions of ZMTP understand.
pub fn subscription(on: bool, topic: &[u8]) -> Vec<u8> {
    frame(0, &[&[u8::from(on)], topic].concat())
}

mod tests {
    use super::*;
    use crate::harness::Setup;

    #[test]
    fn a_raw_peer_is_a_peer_like_another() {
        let host = Setup::new().committed("echo").env("TIDEGATE_LOG", "debug").start();
        let mut dealer = RawPeer::connect(host.surface("frontend"), "DEALER", b"raw");
        let large = vec![b'x'; 300];
        dealer.send(&[b"", &large]).unwrap();
        assert_eq!(dealer.receive().unwrap(), [&b""[..], &large]);
        // A request that is sent in pieces, after which the client shuts down its sending side.
        let (first, second) = (frame(MORE, b""), frame(0, b"end"));
        dealer.write(&first[..1]).unwrap();
        dealer.write(&[&first[1..], &second].concat()).unwrap();
        assert_eq!(dealer.receive().unwrap(), [&b""[..], b"end"]);
        assert!(dealer.stream().peer_addr().is_ok());
        dealer.end_sending().unwrap();
        dealer.wait_for_end();
        let mut subscriber = RawPeer::connect(host.surface("publish"), "SUB", b"");
        subscriber.write(&subscription(true, b"a")).unwrap();
        subscriber.write(&subscription(false, b"a")).unwrap();
        subscriber.write(&command("SUBSCRIBE", b"b")).unwrap();
        host.process.wait_for_line(&["subscribed", "topic=\"b\""]);
        assert_eq!(host.stop(), 0);
    }
}
