//! The codec against what jszmq and libzmq send, against itself, and against anything at all.

use super::*;
use proptest::prelude::*;
use smallvec::smallvec;

const ROUTER: OwnEnd = OwnEnd { kind: "ROUTER", peers: &["DEALER", "REQ", "ROUTER"] };
const BOUNDS: MessageBounds = MessageBounds { frames_max: 4, bytes_max: 100 };

fn decoder(subprotocol: Subprotocol) -> Decoder {
    Decoder::new(subprotocol, ROUTER, BOUNDS)
}

fn ready(subprotocol: Subprotocol) -> Decoder {
    let mut decoder = decoder(subprotocol);
    let hello: &[u8] = match subprotocol {
        Subprotocol::ZwsNull => b"\x02\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x02me",
        _ => b"\0me",
    };
    assert_eq!(receive(&mut decoder, hello), Ok(Some(Said::Hello(Bytes::from_static(b"me")))));
    decoder
}

fn receive(decoder: &mut Decoder, bytes: &[u8]) -> Result<Option<Said>, u16> {
    decoder.receive(Bytes::copy_from_slice(bytes)).map_err(|close| close.code)
}

#[test]
fn without_a_mechanism_the_first_message_is_the_identity() {
    assert_eq!(decoder(Subprotocol::Zws).hello(), &[0][..]);
    let mut decoder = decoder(Subprotocol::Zws);
    assert_eq!(receive(&mut decoder, b"\0"), Ok(Some(Said::Hello(Bytes::new()))));
    assert_eq!(receive(&mut decoder, b"\x01a"), Ok(None));
    assert_eq!(receive(&mut decoder, b"\x01"), Ok(None));
    let whole: Frames = smallvec!["a".into(), Bytes::new(), "b".into()];
    assert_eq!(receive(&mut decoder, b"\0b"), Ok(Some(Said::Message(whole))));
}

#[test]
fn with_null_the_first_message_is_ready() {
    let hello = decoder(Subprotocol::ZwsNull).hello();
    assert_eq!(hello, &b"\x02\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0"[..]);
    let mut decoder = ready(Subprotocol::ZwsNull);
    assert_eq!(receive(&mut decoder, b"\0x"), Ok(Some(Said::Message(smallvec!["x".into()]))));
}

#[test]
fn heartbeats_are_answered_and_subscriptions_understood() {
    let mut decoder = ready(Subprotocol::Zws);
    let pong = Bytes::from_static(b"\x02\x04PONGhello");
    assert_eq!(receive(&mut decoder, b"\x02\x04PING\0\x0ahello"), Ok(Some(Said::Answer(pong))));
    assert_eq!(receive(&mut decoder, b"\x02\x04PONGhello"), Ok(None));
    assert_eq!(receive(&mut decoder, b"\x02\x09SUBSCRIBEa"), Ok(Some(Said::Subscribe("a".into()))));
    // What is kept of it is a copy, not the buffer that it came in.
    let came = Bytes::from_static(b"\x02\x09SUBSCRIBEtopic");
    let Ok(Some(Said::Subscribe(topic))) = decoder.receive(came.clone()) else { panic!("a subscription") };
    assert!(topic == "topic" && !came.as_ptr_range().contains(&topic.as_ptr()));
    assert_eq!(receive(&mut decoder, b"\x02\x06CANCEL"), Ok(Some(Said::Cancel(Bytes::new()))));
    let of = |frame: &'static [u8]| subscription(&smallvec![frame.into()]).map_err(|close| close.code);
    assert_eq!((of(b"\x01t"), of(b"\0t")), (Ok(Said::Subscribe("t".into())), Ok(Said::Cancel("t".into()))));
    assert_eq!((of(b""), of(b"\x02t"), of(b"hello")), (Err(1008), Err(1008), Err(1008)));
    assert!(subscription(&smallvec![Bytes::from_static(b"\x01"), Bytes::new()]).is_err());
}

#[test]
fn what_is_no_zws_ends_the_connection() {
    for wrong in [&b""[..], b"\x01me", b"\x03", b"\xff", b"\x02", b"\x02\x05READ", b"\x02\x04PING\0\0"] {
        assert_eq!(receive(&mut decoder(Subprotocol::Zws), wrong), Err(1002), "{}", wrong.escape_ascii());
    }
    for wrong in [&b"\0me"[..], b"\x02\x05READY\x0bSocket-Type\0\0\0\x07DEALER", b"\x02\x05READY\xff"] {
        assert_eq!(receive(&mut decoder(Subprotocol::ZwsNull), wrong), Err(1002), "{}", wrong.escape_ascii());
    }
    let wrong_type = b"\x02\x05READY\x0bSocket-Type\0\0\0\x03SUB";
    assert_eq!(receive(&mut decoder(Subprotocol::ZwsNull), wrong_type), Err(1008));
    for wrong in [&b""[..], b"\x03x", b"\x02\x05READY", b"\x02\x05ERROR\x01x", b"\x02\x04PING\0", b"\x02\x05HELLO"] {
        for subprotocol in [Subprotocol::Zws, Subprotocol::ZwsNull] {
            assert_eq!(receive(&mut ready(subprotocol), wrong), Err(1002), "{}", wrong.escape_ascii());
        }
    }
    for command in [&b"\x02\x04PING\0\0"[..], b"\x02\x04PONG"] {
        let with_context = |bytes| receive(&mut ready(Subprotocol::Zws), &[command, &vec![0; bytes]].concat());
        assert!(with_context(16).is_ok() && with_context(17) == Err(1002), "{}", command.escape_ascii());
    }
}

#[test]
fn an_identity_has_bounds() {
    let hello = |identity: &[u8]| receive(&mut decoder(Subprotocol::Zws), &[b"\0", identity].concat());
    assert!(hello(&[1; 255]).is_ok() && hello("é\u{7f}".as_bytes()).is_ok() && hello(b"\xff\xfe").is_ok());
    assert_eq!((hello(&[1; 256]), hello(b"\0x")), (Err(1008), Err(1008)));
}

#[test]
fn a_message_has_bounds_in_frames_and_bytes() {
    let mut decoder = ready(Subprotocol::Zws);
    for _ in 0..4 {
        assert_eq!(receive(&mut decoder, b"\x01"), Ok(None));
    }
    assert_eq!(receive(&mut decoder, b"\0"), Err(1009));
    let mut decoder = ready(Subprotocol::Zws);
    assert_eq!(receive(&mut decoder, &[1; 101]), Ok(None));
    assert_eq!(receive(&mut decoder, b"\0x"), Err(1009));
    let mut decoder = ready(Subprotocol::Zws);
    for _ in 0..3 {
        assert!(matches!(receive(&mut decoder, &[0; 101]), Ok(Some(Said::Message(_)))), "counted anew");
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_as_it_was(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..25), 1..=4),
    ) {
        let frames: Frames = bodies.into_iter().map(Bytes::from).collect();
        let mut decoder = ready(Subprotocol::Zws);
        let mut messages: Vec<_> = encode(&frames).map(|message| decoder.receive(message)).collect();
        prop_assert_eq!(messages.pop(), Some(Ok(Some(Said::Message(frames)))));
        prop_assert!(messages.iter().all(|said| *said == Ok(None)));
    }

    #[test]
    fn whatever_comes_is_said_or_refused_and_held_within_bounds(
        has_mechanism: bool,
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20),
    ) {
        let subprotocol = if has_mechanism { Subprotocol::ZwsNull } else { Subprotocol::Zws };
        let mut decoder = ready(subprotocol);
        for mut message in messages {
            // Most flags are none.
            if let Some(flags) = message.first_mut() {
                *flags %= 4;
            }
            if decoder.receive(message.into()).is_err() {
                break;
            }
            prop_assert!(decoder.frames.len() <= BOUNDS.frames_max && decoder.bytes <= BOUNDS.bytes_max);
        }
    }
}
