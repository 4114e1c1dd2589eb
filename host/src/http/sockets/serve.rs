//! One WebSocket of a socket, from its handshake of ZWS to its end.

use super::ZwsSocket;
use super::clients::Listed;
use super::intake::Reading;
use super::peers::{Peer, Sending};
use crate::byte_budget::Held;
use crate::config::{WEBSOCKET_HANDSHAKE_MS, WEBSOCKET_LEFT_MS, WEBSOCKET_MESSAGES_AT_ONCE};
use crate::flow::{Client, Frames, Message};
use crate::http::websocket::zws::{Decoder, Said, encode};
use crate::http::websocket::{Close, Ended, Outgoing, Received, WebSocket};
use bytes::Bytes;
use futures_util::future::{BoxFuture, OptionFuture, join};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

impl ZwsSocket {
    /// Serves one until it is to end, and says why.
    pub(super) async fn serve(&self, websocket: &mut WebSocket, decoder: Decoder, client: Client) -> Ended {
        tokio::select! {
            biased;
            () = self.given_up.cancelled() => going_away(),
            ended = self.run(websocket, decoder, client) => ended,
        }
    }

    async fn run(&self, websocket: &mut WebSocket, mut decoder: Decoder, client: Client) -> Ended {
        let mut reading = self.intake.reading();
        let time_max = Duration::from_millis(WEBSOCKET_HANDSHAKE_MS);
        let shaken = tokio::select! {
            biased;
            () = ending(&mut reading) => return going_away(),
            shaken = timeout(time_max, shake_hands(websocket, &mut decoder)) => shaken,
        };
        let identity = match shaken {
            Ok(Ok(identity)) => identity,
            Ok(Err(ended)) => return ended,
            Err(_) => return Ended::ByHost(Close::policy("the handshake of ZWS took too long")),
        };
        let peer = match self.peers.as_ref().map(|peers| peers.join(identity.clone())).transpose() {
            Ok(peer) => peer,
            Err(close) => return Ended::ByHost(close),
        };
        let _entry = self.clients.add(Listed {
            client,
            identity: peer.as_ref().map_or(identity, |peer| peer.identity.clone()),
            queue: peer.as_ref().map(|peer| Arc::clone(&peer.queue)),
        });
        let mut taking = OptionFuture::from(None::<BoxFuture<'_, ()>>);
        let (mut is_taking, stopping) = (false, websocket.stopping());
        // One message is read ahead of the flow, so that the end of who waits is seen.
        let mut ahead = None::<Ahead>;
        let ended = loop {
            let (wants_more, is_ending) = {
                let reading = reading.borrow_and_update();
                (reading.wants_more(), reading.is_ending())
            };
            if is_ending && peer.is_none() {
                break going_away();
            }
            if wants_more
                && !is_taking
                && let Some(Ahead { message, held }) = ahead.take()
                && let Err(message) = self.intake.try_take(message)
            {
                let later: BoxFuture<'_, ()> = Box::pin(async move {
                    self.intake.take(message).await;
                    drop(held);
                });
                (taking, is_taking) = (Some(later).into(), true);
            }
            // A ROUTER ends once its flows have; what comes in by the listener ends with that.
            let is_stopping = stopping.is_cancelled();
            let reads = ahead.is_none() && !is_stopping;
            // In no order: neither a peer that is sent much nor one that sends much waits for the other way.
            tokio::select! {
                Some(()) = &mut taking, if is_taking => is_taking = false,
                _ = reading.changed() => {}
                () = stopping.cancelled(), if !is_stopping => {}
                next = next_of(peer.as_ref()) => {
                    // What came before the end of the socket has been sent.
                    let Some((peer, next)) = peer.as_ref().zip(next) else { break going_away() };
                    if let Err(ended) = send(websocket, peer, next).await {
                        break ended;
                    }
                }
                received = listen(websocket, reads) => match take_in(websocket, &mut decoder, received).await {
                    Ok(None) => {}
                    Ok(Some((frames, held))) => ahead = Some(Ahead { message: message(peer.as_ref(), frames), held }),
                    Err(ended) => break ended,
                },
            }
        };
        // Who comes back finds its identity free.
        drop(peer);
        // What the client sent whole is not lost with it, unless no flow takes it for long.
        let last = ahead.map(async |Ahead { message, held }| {
            self.intake.take_last(message).await;
            drop(held);
        });
        let left = join(OptionFuture::from(is_taking.then_some(taking)), OptionFuture::from(last));
        if ended == going_away() {
            left.await;
        } else {
            let _ = timeout(Duration::from_millis(WEBSOCKET_LEFT_MS), left).await;
        }
        ended
    }
}

/// A message that has come and was not handed on yet, with its part of the bytes in flight.
struct Ahead {
    message: Message,
    held: Option<Held>,
}

/// The next message, or the end of the client where nothing is read.
async fn listen(websocket: &mut WebSocket, reads: bool) -> Result<Received, Ended> {
    if reads { websocket.receive().await } else { Err(websocket.keep_asking().await) }
}

fn going_away() -> Ended {
    Ended::ByHost(Close::going_away("the socket ends"))
}

/// Completes when the socket ends.
async fn ending(reading: &mut watch::Receiver<Reading>) {
    // The sender of changes is there for as long as the socket.
    let _ = reading.wait_for(Reading::is_ending).await;
}

/// Exchanges what comes before all messages. Returns the identity of the peer.
async fn shake_hands(websocket: &mut WebSocket, decoder: &mut Decoder) -> Result<Bytes, Ended> {
    websocket.feed(Outgoing::binary(decoder.hello())).await?;
    websocket.flush().await?;
    loop {
        let received = websocket.receive().await?;
        let said = decode(decoder, received)?;
        websocket.take_whole();
        if let Some(Said::Hello(identity)) = said {
            return Ok(identity);
        }
    }
}

fn decode(decoder: &mut Decoder, received: Received) -> Result<Option<Said>, Ended> {
    match received {
        Received::Binary(bytes) => decoder.receive(bytes).map_err(Ended::ByHost),
        Received::Text(_) => Err(Ended::ByHost(Close::wrong_data("ZWS is spoken in binary messages"))),
    }
}

/// The frames of a message, if that has come whole, with its part of the bytes in flight.
async fn take_in(
    websocket: &mut WebSocket,
    decoder: &mut Decoder,
    received: Result<Received, Ended>,
) -> Result<Option<(Frames, Option<Held>)>, Ended> {
    let said = decode(decoder, received?)?;
    let held = if decoder.is_within_message() { None } else { websocket.take_whole() };
    match said {
        Some(Said::Message(frames)) => Ok(Some((frames, held))),
        Some(Said::Answer(answer)) => {
            websocket.feed(Outgoing::binary(answer)).await?;
            websocket.flush().await?;
            Ok(None)
        }
        Some(Said::Subscribe(_) | Said::Cancel(_)) => {
            Err(Ended::ByHost(Close::policy("nothing is published here: subscribe at /events")))
        }
        Some(Said::Hello(_)) | None => Ok(None),
    }
}

/// As the flow gets it: before what a peer of a ROUTER sends stands its identity.
fn message(peer: Option<&Peer>, mut frames: Frames) -> Message {
    if let Some(peer) = peer {
        frames.insert(0, peer.identity.clone());
    }
    Message { frames, ..Message::default() }
}

/// What is to be sent next to a peer of a ROUTER, none when nothing comes any more; to others nothing ever is.
async fn next_of(peer: Option<&Peer>) -> Option<(Frames, Sending)> {
    match peer {
        Some(peer) => peer.next().await,
        None => std::future::pending().await,
    }
}

/// Sends a message, and some more if they wait already.
async fn send(websocket: &mut WebSocket, peer: &Peer, first: (Frames, Sending)) -> Result<(), Ended> {
    let mut sent = Vec::new();
    let mut next = Some(first);
    while let Some((frames, sending)) = next {
        for part in encode(&frames) {
            websocket.feed(Outgoing::binary(part)).await?;
        }
        sent.push(sending);
        next = if sent.len() < WEBSOCKET_MESSAGES_AT_ONCE { peer.try_next() } else { None };
    }
    websocket.flush().await?;
    sent.into_iter().for_each(Sending::done);
    Ok(())
}
