//! Fuzzing of ZWS: whatever a peer sends is said or refused, within bounds, and a message that is sent again reads the same.

use super::Subprotocol;
use super::zws::{Decoder, MessageBounds, OwnEnd, Said, encode};
use bytes::Bytes;

const BOUNDS: MessageBounds = MessageBounds { frames_max: 8, bytes_max: 1 << 10 };

/// Takes in what one peer sends.
pub fn zws(messages: Vec<Vec<u8>>) {
    let new = |subprotocol| Decoder::new(subprotocol, OwnEnd { kind: "PULL", peers: &["PUSH"] }, BOUNDS);
    for subprotocol in [Subprotocol::Zws, Subprotocol::ZwsNull] {
        let mut decoder = new(subprotocol);
        for message in &messages {
            match decoder.receive(Bytes::copy_from_slice(message)) {
                Ok(Some(Said::Message(frames))) => {
                    assert!(frames.len() <= BOUNDS.frames_max);
                    assert!(frames.iter().map(Bytes::len).sum::<usize>() <= BOUNDS.bytes_max);
                    let mut again = new(Subprotocol::Zws);
                    assert_eq!(again.receive(again.hello()), Ok(Some(Said::Hello(Bytes::new()))));
                    let said = encode(&frames).filter_map(|message| again.receive(message).transpose());
                    assert_eq!(said.collect::<Vec<_>>(), [Ok(Said::Message(frames))]);
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
}
