//! Events by WebSocket, in whichever subprotocol a client asks for.

mod follower;
mod json;
mod language;
mod order;

use super::{Close, Ended, Endpoint, Outgoing, Serve, Subprotocol, WebSocket};
use crate::config::{SUBSCRIPTION_FRAME_BYTES_MAX, WEBSOCKET_MESSAGES_AT_ONCE};
use crate::flow::Client;
use crate::http::events::{Hub, Next, OpenError, Resume};
use crate::http::problem::Problem;
use crate::http::server::head::Head;
use bytes::Bytes;
use follower::Follower;
use language::Language;
use order::Order;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where events are followed.
pub(super) struct EventsEndpoint {
    hub: Arc<Hub>,
}

impl EventsEndpoint {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }
}

impl Endpoint for EventsEndpoint {
    fn subprotocols(&self) -> &'static [Subprotocol] {
        &[Subprotocol::ZwsNull, Subprotocol::Zws, Subprotocol::Json, Subprotocol::Plain]
    }

    fn message_bytes_max(&self) -> usize {
        SUBSCRIPTION_FRAME_BYTES_MAX as usize
    }

    fn ends_with_listener(&self) -> bool {
        true
    }

    fn given_up(&self) -> CancellationToken {
        // The listener does that by itself.
        CancellationToken::new()
    }

    fn open(self: Arc<Self>, head: &Head, subprotocol: Subprotocol) -> Result<Serve, Problem> {
        let mut follower = Follower::of(&self.hub, Client::new("websocket", subprotocol.name(), head.from), head)?;
        // Who cannot say so later takes everything, unless the query says what.
        if subprotocol == Subprotocol::Plain && follower.takes_nothing() {
            follower.subscribe(vec![Bytes::new()], Resume::Now)?;
        }
        let language = Language::new(subprotocol);
        Ok(Box::new(move |websocket| {
            Box::pin(async move {
                let Err(ended) = serve(websocket, follower, language).await;
                (ended, Box::new(()) as Box<dyn Send>)
            })
        }))
    }
}

/// Serves one until it is to end, and says why.
async fn serve(
    websocket: &mut WebSocket,
    mut follower: Follower,
    mut language: Language,
) -> Result<std::convert::Infallible, Ended> {
    send(websocket, language.hello()).await?;
    if !follower.takes_nothing() {
        send(websocket, follower.position().and_then(|id| language.acceptance(id))).await?;
    }
    loop {
        tokio::select! {
            received = websocket.receive() => {
                let order = language.understand(received?).map_err(Ended::ByHost)?;
                websocket.take_whole();
                obey(websocket, &mut follower, &language, order).await?;
            }
            next = follower.next() => hand_over(websocket, &mut follower, &language, next).await?,
        }
    }
}

/// Does what the client wants.
async fn obey(
    websocket: &mut WebSocket,
    follower: &mut Follower,
    language: &Language,
    order: Order,
) -> Result<(), Ended> {
    match order {
        Order::Nothing => Ok(()),
        Order::Answer(answer) => send(websocket, [answer]).await,
        Order::Subscribe(topics, resume) => match follower.subscribe(topics, resume) {
            Ok(()) => send(websocket, follower.position().and_then(|id| language.acceptance(id))).await,
            Err(OpenError::TooManyStreams(_)) => Err(Ended::ByHost(Close::try_again("too many streams of events"))),
            Err(OpenError::Topic(error)) => {
                let refusal = language.refusal(&error.to_string()).map_err(Ended::ByHost)?;
                send(websocket, [refusal]).await
            }
        },
        Order::Cancel(topics) => {
            topics.iter().for_each(|topic| follower.cancel(topic));
            Ok(())
        }
    }
}

/// Sends what came, and some more if it is there already.
async fn hand_over(
    websocket: &mut WebSocket,
    follower: &mut Follower,
    language: &Language,
    first: Next,
) -> Result<(), Ended> {
    let (mut next, mut count) = (Some(first), 0);
    while let Some(came) = next {
        if let Next::End { retry_ms } = came {
            return Err(Ended::ByHost(Close::going_away(format!("come again in {retry_ms} ms"))));
        }
        for message in language.say(&came) {
            websocket.feed(message).await?;
        }
        count += 1;
        next = if count < WEBSOCKET_MESSAGES_AT_ONCE { follower.try_next() } else { None };
    }
    websocket.flush().await
}

async fn send(websocket: &mut WebSocket, messages: impl IntoIterator<Item = Outgoing>) -> Result<(), Ended> {
    for message in messages {
        websocket.feed(message).await?;
    }
    websocket.flush().await
}
