//! The commands of ZMTP 3.1 that ZWS carries: of the NULL mechanism, of heartbeats, and of subscriptions.

use super::super::close::Close;
use super::{COMMAND, flagged};
use bytes::{Buf, Bytes};

const READY: &[u8] = b"\x05READY";
const PONG: &[u8] = b"\x04PONG";
const SOCKET_TYPE: &[u8] = b"Socket-Type";
const IDENTITY: &[u8] = b"Identity";
/// What a PING may carry for its PONG (RFC 37).
const CONTEXT_BYTES_MAX: usize = 16;
/// The time to live in a PING.
const TTL_BYTES: usize = 2;

/// A command of a peer.
pub(super) enum Command {
    /// The handshake.
    Ready { kind: Bytes, identity: Bytes },
    /// The peer asks whether the host is there.
    Ping { context: Bytes },
    /// The peer is there.
    Pong,
    /// It subscribes.
    Subscribe(Bytes),
    /// It takes a subscription back.
    Cancel(Bytes),
}

impl Command {
    /// # Errors
    /// When it is none of these.
    pub(super) fn parse(mut body: Bytes) -> Result<Self, Close> {
        let malformed = || Close::protocol("a command of ZWS is cut short, or too long");
        let name_bytes = usize::from(body.try_get_u8().map_err(|_| malformed())?);
        if body.len() < name_bytes {
            return Err(malformed());
        }
        let name = body.split_to(name_bytes);
        match &name[..] {
            b"READY" => Self::ready(body).ok_or_else(malformed),
            b"PING" if (TTL_BYTES..=TTL_BYTES + CONTEXT_BYTES_MAX).contains(&body.len()) => {
                Ok(Self::Ping { context: body.slice(TTL_BYTES..) })
            }
            b"PING" => Err(malformed()),
            b"PONG" if body.len() <= CONTEXT_BYTES_MAX => Ok(Self::Pong),
            b"PONG" => Err(malformed()),
            // A topic is kept, and must not keep a whole buffer of its connection.
            b"SUBSCRIBE" => Ok(Self::Subscribe(Bytes::copy_from_slice(&body))),
            b"CANCEL" => Ok(Self::Cancel(body)),
            name => Err(Close::protocol(format!("ZWS has no command {} here", name.escape_ascii()))),
        }
    }

    /// The properties of a READY, of which names are alike in either case. None if they are cut short.
    fn ready(mut body: Bytes) -> Option<Self> {
        let (mut kind, mut identity) = (Bytes::new(), Bytes::new());
        while body.has_remaining() {
            let name_bytes = usize::from(body.try_get_u8().ok()?);
            let name = (body.len() >= name_bytes).then(|| body.split_to(name_bytes))?;
            let value_bytes = usize::try_from(body.try_get_u32().ok()?).ok()?;
            let value = (body.len() >= value_bytes).then(|| body.split_to(value_bytes))?;
            if name.eq_ignore_ascii_case(SOCKET_TYPE) {
                kind = value;
            } else if name.eq_ignore_ascii_case(IDENTITY) {
                identity = value;
            }
        }
        Some(Self::Ready { kind, identity })
    }
}

/// The host's half of the handshake: its type, and no identity.
pub(super) fn ready(kind: &str) -> Bytes {
    let value_bytes = (kind.len() as u32).to_be_bytes();
    flagged(
        COMMAND,
        &[
            READY,
            &[SOCKET_TYPE.len() as u8],
            SOCKET_TYPE,
            &value_bytes,
            kind.as_bytes(),
            &[IDENTITY.len() as u8],
            IDENTITY,
            &[0; 4],
        ],
    )
}

/// What answers a PING.
pub(super) fn pong(context: &[u8]) -> Bytes {
    flagged(COMMAND, &[PONG, context])
}
