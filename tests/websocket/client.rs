//! A WebSocket client over plain TCP that sends whatever frames it is told to.

use crate::harness::Host;
use crate::raw_http::{Raw, RawAnswer};
use std::io::{ErrorKind, Read};

pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// Of that key, by RFC 6455.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// One connection, which is a WebSocket.
pub struct WebSocket(pub Raw);

/// Sends a handshake with these headers beside the usual ones, and returns the connection and the answer.
pub fn shake_hands(host: &Host, path: &str, headers: &str) -> (Raw, RawAnswer) {
    let mut raw = Raw::connect(host, "http");
    raw.send(format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{headers}\r\n",
        host.surface("http").trim_start_matches("http://")
    ));
    let answer = raw.answer().expect("an answer");
    (raw, answer)
}

impl WebSocket {
    /// Opens one, with this subprotocol unless it is empty.
    #[track_caller]
    pub fn open(host: &Host, path: &str, subprotocol: &str) -> Self {
        let header = match subprotocol {
            "" => String::new(),
            name => format!("Sec-WebSocket-Protocol: {name}\r\n"),
        };
        let (raw, answer) = shake_hands(host, path, &header);
        assert_eq!((answer.status, answer.header("sec-websocket-accept")), (101, Some(ACCEPT)), "{answer:?}");
        assert_eq!(answer.header("sec-websocket-protocol").unwrap_or_default(), subprotocol);
        Self(raw)
    }

    /// One that speaks ZWS, with this identity.
    #[track_caller]
    pub fn zws(host: &Host, path: &str, identity: &str) -> Self {
        let mut websocket = Self::open(host, path, "ZWS2.0");
        assert_eq!(websocket.receive(), (BINARY, b"\0".to_vec()));
        websocket.send(BINARY, format!("\0{identity}").as_bytes());
        websocket
    }

    /// The address that the host sees.
    pub fn address(&self) -> String {
        self.0.0.local_addr().unwrap().to_string()
    }

    /// Sends a whole message in one masked frame.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.0.send(frame(true, opcode, payload));
    }

    /// The next frame, which is a whole message: its opcode and payload.
    #[track_caller]
    pub fn receive(&mut self) -> (u8, Vec<u8>) {
        receive(&mut self.0.0)
    }

    /// The next text message.
    #[track_caller]
    pub fn text(&mut self) -> String {
        let (opcode, payload) = self.receive();
        assert_eq!(opcode, TEXT, "{}", payload.escape_ascii());
        String::from_utf8(payload).unwrap()
    }

    /// The next message as JSON.
    #[track_caller]
    pub fn json(&mut self) -> serde_json::Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The frames of the next message of ZWS.
    #[track_caller]
    pub fn frames(&mut self) -> Vec<String> {
        let mut frames = Vec::new();
        loop {
            let (opcode, payload) = self.receive();
            assert_eq!(opcode, BINARY, "{}", payload.escape_ascii());
            frames.push(String::from_utf8_lossy(&payload[1..]).into_owned());
            if payload[0] == 0 {
                return frames;
            }
        }
    }

    /// What the host says when it closes, after whatever else it has sent: the code and the reason. The connection ends then.
    #[track_caller]
    pub fn closed(&mut self) -> (u16, String) {
        let (mut opcode, mut payload) = self.receive();
        while opcode != CLOSE {
            (opcode, payload) = self.receive();
        }
        // A client that is told to close may have gone already.
        let _ = std::io::Write::write_all(&mut self.0.0, &frame(true, CLOSE, &payload[..2]));
        let mut rest = Vec::new();
        match self.0.0.read_to_end(&mut rest) {
            // A pong may have been on its way.
            Ok(_) => assert!(rest.chunks(3).all(|frame| frame == [0x80 | PONG, 1, b'x']), "{rest:?}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let code = u16::from_be_bytes([payload[0], payload[1]]);
        (code, String::from_utf8(payload.split_off(2)).unwrap())
    }
}

/// The next frame of a stream, which is a whole message: its opcode and payload.
#[track_caller]
pub fn receive(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a frame");
    assert_eq!(head[0] & 0x80, 0x80, "the host does not fragment");
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            usize::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length) as usize
        }
        length => usize::from(length),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (head[0] & 0x0f, payload)
}

/// A masked frame.
pub fn frame(is_final: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(is_final) << 7 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x12, 0x34, 0x56, 0x78];
    frame.extend(mask);
    frame.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ mask[index % 4]));
    frame
}
