//! What a worker and the host say to each other: the commands of Majordomo 0.2 (RFC 18).

use crate::messaging::socket::Frames;

/// The frame that every command begins with, in both directions.
const WORKER: &[u8] = b"MDPW02";
const READY: u8 = 1;
const REQUEST: u8 = 2;
const FINAL: u8 = 4;
const HEARTBEAT: u8 = 5;
const DISCONNECT: u8 = 6;

/// The most frames that a command of the host may have.
pub(super) const FRAMES_MAX: usize = 1_000;

/// A command of the host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A message to be answered, with the token that the answer repeats.
    Request {
        token: Vec<u8>,
        message: Frames,
    },
    Heartbeat,
    Disconnect,
}

/// Reads a command; none if it is not one that a host sends.
pub(super) fn read(mut frames: Frames) -> Option<Command> {
    if frames.len() > FRAMES_MAX || frames.first()? != WORKER {
        return None;
    }
    match (frames.get(1)?.as_slice(), frames.len()) {
        ([HEARTBEAT], 2) => Some(Command::Heartbeat),
        ([DISCONNECT], 2) => Some(Command::Disconnect),
        // Between the token and the message stands an empty frame.
        ([REQUEST], 4..) if frames[3].is_empty() => {
            let message = frames.split_off(4);
            Some(Command::Request { token: frames.swap_remove(2), message })
        }
        _ => None,
    }
}

/// The worker takes messages for this service.
pub(super) fn ready(service: &str) -> Frames {
    command(READY, [service.as_bytes().to_vec()])
}

/// The whole answer to the message with this token.
pub(super) fn answer(token: Vec<u8>, answer: Vec<u8>) -> Frames {
    command(FINAL, [token, Vec::new(), answer])
}

pub(super) fn heartbeat() -> Frames {
    command(HEARTBEAT, [])
}

pub(super) fn disconnect() -> Frames {
    command(DISCONNECT, [])
}

fn command<const N: usize>(command: u8, rest: [Vec<u8>; N]) -> Frames {
    [WORKER.to_vec(), vec![command]].into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(texts: &[&[u8]]) -> Frames {
        texts.iter().map(|text| text.to_vec()).collect()
    }

    #[test]
    fn commands_are_those_of_the_rfc_byte_for_byte() {
        assert_eq!(ready("score"), frames(&[b"MDPW02", b"\x01", b"score"]));
        assert_eq!(answer(b"T".to_vec(), b"42".to_vec()), frames(&[b"MDPW02", b"\x04", b"T", b"", b"42"]));
        assert_eq!((heartbeat(), disconnect()), (frames(&[b"MDPW02", b"\x05"]), frames(&[b"MDPW02", b"\x06"])));
        let request = |message: &[&[u8]]| Some(Command::Request { token: b"T".to_vec(), message: frames(message) });
        for (message, command) in [
            (frames(&[b"MDPW02", b"\x05"]), Some(Command::Heartbeat)),
            (frames(&[b"MDPW02", b"\x06"]), Some(Command::Disconnect)),
            (frames(&[b"MDPW02", b"\x02", b"T", b"", b"a", b""]), request(&[b"a", b""])),
            (frames(&[b"MDPW02", b"\x02", b"T", b""]), request(&[])),
        ] {
            assert_eq!(read(message.clone()), command, "{message:?}");
        }
    }

    #[test]
    fn what_is_no_command_of_a_host_is_none() {
        let long = [frames(&[b"MDPW02", b"\x02", b"T", b""]), vec![Vec::new(); FRAMES_MAX]].concat();
        for message in [
            frames(&[]),
            frames(&[b""]),
            frames(&[b"MDPW02"]),
            frames(&[b"MDPW02", b""]),
            frames(&[b"MDPW02", b"\x05\x05"]),
            frames(&[b"MDPW02", b"\x05", b""]),
            frames(&[b"MDPW02", b"\x06", b"why"]),
            frames(&[b"MDPW02", b"\x01", b"score"]),
            frames(&[b"MDPW02", b"\x02", b"T"]),
            frames(&[b"MDPW02", b"\x02", b"T", b"x", b"a"]),
            frames(&[b"MDPW02", b"\x04", b"T", b"", b"a"]),
            frames(&[b"MDPW01", b"\x05"]),
            frames(&[b"", b"MDPW01", b"\x04"]),
            long,
        ] {
            assert_eq!(read(message.clone()), None, "{message:?}");
        }
    }
}
