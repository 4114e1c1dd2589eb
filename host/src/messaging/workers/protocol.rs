//! What workers speak: the Majordomo, Paranoid Pirate and load-balancing protocols of the ZeroMQ Guide, frame by frame.

use bytes::Bytes;
use smallvec::{SmallVec, smallvec};

/// The frames of a message behind the identity, from or to a worker.
pub(super) type WorkerFrames = SmallVec<[Bytes; 6]>;

/// The number under which a worker gets a message. Workers see it as text, since some handle it as a string of C.
pub(super) type Token = u64;

const MDP_2: &[u8] = b"MDPW02";
const MDP_1: &[u8] = b"MDPW01";
const READY: &[u8] = b"\x01";
const REQUEST: &[u8] = b"\x02";
const HEARTBEAT_OF_PPP: &[u8] = b"\x02";
/// The Guide's examples say either that or the byte 1.
const READY_OF_REQ: &[u8] = b"READY";
const EMPTY: Bytes = Bytes::new();

/// A protocol, which a worker's first message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Majordomo 0.2 (RFC 18).
    Mdp2,
    /// Majordomo 0.1 (RFC 7).
    Mdp1,
    /// Paranoid Pirate (RFC 6).
    Ppp,
    /// The load-balancing pattern: a REQ that says it is ready, and then answers.
    Req,
    /// A REP, which a DEALER asks: it says nothing of itself.
    Rep,
}

/// What a worker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// It is ready, for the service of this name if the protocol has names.
    Ready(Option<Bytes>),
    /// It is there.
    Heartbeat,
    /// It answers what it got under this token, which is none if it is no number.
    Answer { token: Option<Token>, frames: WorkerFrames, is_last: bool },
    /// It goes.
    Disconnect,
}

impl Protocol {
    /// The protocol of a first message; none if it is of no protocol.
    pub(super) fn of_first(frames: &[Bytes]) -> Option<Self> {
        match frames {
            [head, ..] if head == MDP_2 => Some(Self::Mdp2),
            [empty, head, ..] if empty.is_empty() && head == MDP_1 => Some(Self::Mdp1),
            [one] if one == READY || one == HEARTBEAT_OF_PPP => Some(Self::Ppp),
            [empty, ready] if empty.is_empty() && (ready == READY_OF_REQ || ready == READY) => Some(Self::Req),
            _ => None,
        }
    }

    /// The protocol of an answer in whose frames nothing is told of it: that of a worker which was taken for gone.
    pub(super) fn of_answer(frames: &[Bytes]) -> Option<Self> {
        [Self::Req, Self::Ppp].into_iter().find(|protocol| {
            matches!(protocol.read(WorkerFrames::from(frames)), Some(Command::Answer { token: Some(_), .. }))
        })
    }

    /// What a message says; none if it is malformed, or of another protocol.
    pub(super) fn read(self, mut frames: WorkerFrames) -> Option<Command> {
        match self {
            Self::Mdp2 => majordomo(MDP_2, frames, |command| match command {
                3 => Some(Said::Answer { is_last: false }),
                4 => Some(Said::Answer { is_last: true }),
                5 => Some(Said::Heartbeat),
                6 => Some(Said::Disconnect),
                _ => None,
            }),
            Self::Mdp1 => {
                if !frames.first()?.is_empty() {
                    return None;
                }
                frames.remove(0);
                majordomo(MDP_1, frames, |command| match command {
                    3 => Some(Said::Answer { is_last: true }),
                    4 => Some(Said::Heartbeat),
                    5 => Some(Said::Disconnect),
                    _ => None,
                })
            }
            Self::Ppp => match &frames[..] {
                [one] if one == READY => Some(Command::Ready(None)),
                [one] if one == HEARTBEAT_OF_PPP => Some(Command::Heartbeat),
                [_, empty, _, ..] if empty.is_empty() => Some(answer(frames, true)),
                _ => None,
            },
            Self::Req => match &frames[..] {
                [empty, ready] if empty.is_empty() && (ready == READY_OF_REQ || ready == READY) => {
                    Some(Command::Ready(None))
                }
                [empty, _, delimiter, _, ..] if empty.is_empty() && delimiter.is_empty() => {
                    frames.remove(0);
                    Some(answer(frames, true))
                }
                _ => None,
            },
            Self::Rep => match &frames[..] {
                [_, empty, ..] if empty.is_empty() => Some(answer(frames, true)),
                _ => None,
            },
        }
    }

    /// A message for a worker, under a token.
    pub(super) fn request(self, token: Token, body: impl IntoIterator<Item = Bytes>) -> WorkerFrames {
        let mut frames = self.command(REQUEST);
        frames.extend([Bytes::from(token.to_string()), EMPTY]);
        frames.extend(body);
        frames
    }

    /// A heartbeat for a worker; none if the protocol has none.
    pub(super) fn heartbeat(self) -> Option<WorkerFrames> {
        match self {
            Self::Mdp2 => Some(self.command(b"\x05")),
            Self::Mdp1 => Some(self.command(b"\x04")),
            Self::Ppp => Some(smallvec![Bytes::from_static(HEARTBEAT_OF_PPP)]),
            Self::Req | Self::Rep => None,
        }
    }

    /// What tells a worker to go, or to begin anew; none if the protocol does not know that.
    pub(super) fn disconnect(self) -> Option<WorkerFrames> {
        match self {
            Self::Mdp2 => Some(self.command(b"\x06")),
            Self::Mdp1 => Some(self.command(b"\x05")),
            Self::Ppp | Self::Req | Self::Rep => None,
        }
    }

    /// What stands before what a command is about.
    fn command(self, command: &'static [u8]) -> WorkerFrames {
        match self {
            Self::Mdp2 => smallvec![Bytes::from_static(MDP_2), Bytes::from_static(command)],
            Self::Mdp1 => smallvec![EMPTY, Bytes::from_static(MDP_1), Bytes::from_static(command)],
            Self::Req => smallvec![EMPTY],
            Self::Ppp | Self::Rep => SmallVec::new(),
        }
    }

    /// Whether workers send heartbeats, so that silence means that one is gone.
    pub(super) fn has_heartbeats(self) -> bool {
        self.heartbeat().is_some()
    }

    /// As it is reported.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Mdp2 => "mdp-0.2",
            Self::Mdp1 => "mdp-0.1",
            Self::Ppp => "ppp",
            Self::Req => "req",
            Self::Rep => "rep",
        }
    }
}

/// What a command of Majordomo says, beside that a worker is ready, in whose number all versions agree.
enum Said {
    Answer { is_last: bool },
    Heartbeat,
    Disconnect,
}

/// `[head, command, …]`
fn majordomo(head: &[u8], mut frames: WorkerFrames, said: impl Fn(u8) -> Option<Said>) -> Option<Command> {
    let [first, command, rest @ ..] = &frames[..] else { return None };
    let [command] = command[..] else { return None };
    if first != head {
        return None;
    }
    if [command] == *READY {
        let [service] = rest else { return None };
        return Some(Command::Ready(Some(service.clone())));
    }
    match (said(command)?, rest) {
        (Said::Answer { is_last }, [_, empty, ..]) if empty.is_empty() => {
            frames.drain(..2);
            Some(answer(frames, is_last))
        }
        (Said::Heartbeat, []) => Some(Command::Heartbeat),
        (Said::Disconnect, []) => Some(Command::Disconnect),
        _ => None,
    }
}

/// `[token, empty, body…]`
fn answer(mut frames: WorkerFrames, is_last: bool) -> Command {
    let token = std::str::from_utf8(&frames[0]).ok().and_then(|text| text.parse().ok());
    frames.drain(..2);
    Command::Answer { token, frames, is_last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(texts: &[&'static [u8]]) -> WorkerFrames {
        texts.iter().map(|text| Bytes::from_static(text)).collect()
    }

    fn said(texts: &[&'static [u8]]) -> Option<(Protocol, Option<Command>)> {
        let frames = frames(texts);
        Protocol::of_first(&frames).map(|protocol| (protocol, protocol.read(frames)))
    }

    #[test]
    fn the_first_message_tells_the_protocol() {
        let ready = |service: &'static [u8]| Some(Command::Ready(Some(Bytes::from_static(service))));
        assert_eq!(said(&[b"MDPW02", b"\x01", b"score"]), Some((Protocol::Mdp2, ready(b"score"))));
        assert_eq!(said(&[b"", b"MDPW01", b"\x01", b"score"]), Some((Protocol::Mdp1, ready(b"score"))));
        assert_eq!(said(&[b"\x01"]), Some((Protocol::Ppp, Some(Command::Ready(None)))));
        assert_eq!(said(&[b"", b"READY"]), Some((Protocol::Req, Some(Command::Ready(None)))));
        assert_eq!(said(&[b"", b"\x01"]), Some((Protocol::Req, Some(Command::Ready(None)))));
        let others: [&[&[u8]]; 6] =
            [&[], &[b""], &[b"\x03"], &[b"", b""], &[b"MDPW03", b"\x01", b"score"], &[b"GET / HTTP/1.1"]];
        for nothing in others {
            assert_eq!(said(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn commands_are_the_bytes_of_their_rfc() {
        let body = || [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        for (protocol, request, heartbeat, disconnect) in [
            (
                Protocol::Mdp2,
                &[&b"MDPW02"[..], b"\x02", b"7", b"", b"a", b"b"][..],
                Some(&[&b"MDPW02"[..], b"\x05"][..]),
                Some(&[&b"MDPW02"[..], b"\x06"][..]),
            ),
            (
                Protocol::Mdp1,
                &[b"", b"MDPW01", b"\x02", b"7", b"", b"a", b"b"],
                Some(&[b"", b"MDPW01", b"\x04"]),
                Some(&[b"", b"MDPW01", b"\x05"]),
            ),
            (Protocol::Ppp, &[b"7", b"", b"a", b"b"], Some(&[b"\x02"]), None),
            (Protocol::Req, &[b"", b"7", b"", b"a", b"b"], None, None),
            (Protocol::Rep, &[b"7", b"", b"a", b"b"], None, None),
        ] {
            assert_eq!(protocol.request(7, body()), frames(request), "{protocol:?}");
            assert_eq!(protocol.heartbeat(), heartbeat.map(frames), "{protocol:?}");
            assert_eq!(protocol.disconnect(), disconnect.map(frames), "{protocol:?}");
        }
    }

    #[test]
    fn answers_come_with_their_token() {
        let answer = |token, is_last, texts| Some(Command::Answer { token, frames: frames(texts), is_last });
        for (protocol, texts, command) in [
            (Protocol::Mdp2, &[&b"MDPW02"[..], b"\x03", b"7", b"", b"a"][..], answer(Some(7), false, &[b"a"])),
            (Protocol::Mdp2, &[b"MDPW02", b"\x04", b"7", b""], answer(Some(7), true, &[])),
            (Protocol::Mdp2, &[b"MDPW02", b"\x04", b"\xff", b"", b"a"], answer(None, true, &[b"a"])),
            (Protocol::Mdp2, &[b"MDPW02", b"\x05"], Some(Command::Heartbeat)),
            (Protocol::Mdp2, &[b"MDPW02", b"\x06"], Some(Command::Disconnect)),
            (Protocol::Mdp1, &[b"", b"MDPW01", b"\x03", b"7", b"", b"", b"b"], answer(Some(7), true, &[b"", b"b"])),
            (Protocol::Ppp, &[b"\x02"], Some(Command::Heartbeat)),
            (Protocol::Ppp, &[b"7", b"", b"a"], answer(Some(7), true, &[b"a"])),
            (Protocol::Req, &[b"", b"7", b"", b"a"], answer(Some(7), true, &[b"a"])),
            (Protocol::Rep, &[b"7", b"", b"a"], answer(Some(7), true, &[b"a"])),
        ] {
            assert_eq!(protocol.read(frames(texts)), command, "{protocol:?} {texts:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_no_command() {
        for (protocol, texts) in [
            (Protocol::Mdp2, &[&b"MDPW02"[..]][..]),
            (Protocol::Mdp2, &[b"MDPW02", b""]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x01"]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x01", b"a", b"b"]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x02", b"7", b"", b"a"]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x07"]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x04", b"7"]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x04", b"7", b"x", b"a"]),
            (Protocol::Mdp2, &[b"MDPW02", b"\x05", b"x"]),
            (Protocol::Mdp2, &[b"", b"MDPW01", b"\x04"]),
            (Protocol::Mdp1, &[b"", b"MDPW01", b"\x06"]),
            (Protocol::Mdp1, &[b"MDPW01", b"\x04"]),
            (Protocol::Mdp1, &[]),
            (Protocol::Ppp, &[b"\x03"]),
            (Protocol::Ppp, &[b"7", b"x", b"a"]),
            (Protocol::Req, &[b"7", b"", b"a"]),
            (Protocol::Req, &[b"", b"7", b""]),
            (Protocol::Rep, &[b"7"]),
        ] {
            assert_eq!(protocol.read(frames(texts)), None, "{protocol:?} {texts:?}");
        }
    }
}
