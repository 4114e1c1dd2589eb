//! `GET /tail`: messages as they go by, as a stream of events; sampled, and without bodies unless those are to be shown.

mod message;

use super::sse;
use crate::config::{
    TAIL_FILTER_BYTES_MAX, TAIL_HEARTBEAT_MS, TAIL_RATE, TAIL_RATE_MAX, TAIL_SKIPPED_MS, TAILS_MAX, Tail,
};
use crate::flow::{Choice, Taps, Watch};
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::route::RouteTable;
use crate::ledger::Ledger;
use bytes::Bytes;
use futures_util::stream::unfold;
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use warp::http::Method;
use warp::reply::Response;

const SKIPPED: Duration = Duration::from_millis(TAIL_SKIPPED_MS);
const HEARTBEAT: Duration = Duration::from_millis(TAIL_HEARTBEAT_MS);
/// Of an event that is followed by others which are there already.
const CHUNK_BYTES: usize = 32 << 10;

/// What goes by, and how much of it may be shown.
pub(in crate::http::admin) struct Tails {
    pub(in crate::http::admin) taps: Taps,
    pub(in crate::http::admin) shows: Tail,
}

/// What a tail begins with.
#[derive(Serialize)]
struct Open {
    shows: Tail,
    rate: u32,
}

/// Messages that were not shown.
#[derive(Serialize)]
struct Skipped {
    skipped: u64,
}

impl Tails {
    /// A tail of what the query chooses. It ends when the host does.
    ///
    /// # Errors
    /// When tails are off, the query makes no sense or names what is not there, or as many tails are open as may be.
    pub(in crate::http::admin) fn answer(
        &self,
        method: &Method,
        text: &str,
        routes: &RouteTable,
        ledger: &Ledger,
    ) -> Result<Response, Problem> {
        if self.shows == Tail::Off {
            return Err(Problem::TailOff);
        }
        let choice = choice(text, self.shows == Tail::Bodies)?;
        match &choice.place {
            Some(("flow", name)) if !has_flow(ledger, name) => return Err(Problem::NoFlow(name.clone())),
            Some(("route", name)) if routes.find(name).is_err() => return Err(Problem::NoRouteNamed(name.clone())),
            _ => {}
        }
        sse::answer(method, || {
            let open = sse::event("open", &Open { shows: self.shows, rate: choice.rate });
            let watch = self.taps.watch(choice, TAILS_MAX).ok_or(Problem::TooManyTails)?;
            let mut ticks = interval(SKIPPED);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let telling = Telling { watch, ticks, open: Some(open), told: Instant::now() };
            Ok(unfold(telling, async |mut telling| Some((Ok(telling.next().await?), telling))).boxed())
        })
    }
}

/// Whether there is a flow of this name, or was: that of the frontend is no surface, but each has hops.
fn has_flow(ledger: &Ledger, name: &str) -> bool {
    let of_flow = |hop: &str| hop.strip_prefix("flows.").and_then(|hop| hop.split('.').next()) == Some(name);
    ledger.hops().iter().any(|(hop, _)| of_flow(hop))
}

/// Which messages a query means.
///
/// # Errors
/// When it has another parameter, or one twice, or a value that makes no sense.
fn choice(text: &str, with_bodies: bool) -> Result<Choice, Problem> {
    let (mut place, mut topic, mut part, mut rate) = (None, None, None, None);
    for (name, value) in query::pairs(text).map_err(Problem::Malformed)? {
        let malformed = |why: String| Problem::Malformed(format!("{name}: {why}"));
        let is_first = match &*name {
            "flow" => place.replace(("flow", value.into_owned())).is_none(),
            "route" => place.replace(("route", value.into_owned())).is_none(),
            "policy" => place.replace(("policy", value.into_owned())).is_none(),
            "topic" | "text" if value.len() > TAIL_FILTER_BYTES_MAX => {
                return Err(malformed(format!("{} bytes are more than {TAIL_FILTER_BYTES_MAX}", value.len())));
            }
            "topic" => topic.replace(value.into_owned().into_bytes()).is_none(),
            "text" => part.replace(value.into_owned().into_bytes()).is_none(),
            "rate" => {
                let number = value.parse().ok().filter(|rate| (1..=TAIL_RATE_MAX).contains(rate));
                let number =
                    number.ok_or_else(|| malformed(format!("`{value}` is no number from 1 to {TAIL_RATE_MAX}")))?;
                rate.replace(number).is_none()
            }
            _ => false,
        };
        if !is_first {
            return Err(Problem::Malformed(format!(
                "the query takes one of flow, route and policy, and topic, text and rate, once each; {name} is not taken"
            )));
        }
    }
    let (topic, text) = (topic.unwrap_or_default(), part.unwrap_or_default());
    Ok(Choice { place, topic, text, rate: rate.unwrap_or(TAIL_RATE), with_bodies })
}

/// A tail that is open.
struct Telling {
    watch: Watch,
    ticks: Interval,
    /// The first event, until it was sent.
    open: Option<Bytes>,
    /// When something was last sent.
    told: Instant,
}

impl Telling {
    /// What is sent next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(open) = self.open.take() {
            return Some(open);
        }
        let told = loop {
            tokio::select! {
                biased;
                seen = self.watch.next() => {
                    let mut events = message::event_of(&seen?);
                    while events.len() < CHUNK_BYTES && let Some(Some(seen)) = self.watch.next().now_or_never() {
                        events.extend(message::event_of(&seen));
                    }
                    break events.into();
                }
                _ = self.ticks.tick() => match self.watch.take_skipped() {
                    0 if self.told.elapsed() >= HEARTBEAT => break Bytes::from_static(b":\n\n"),
                    0 => {}
                    skipped => break sse::event("skipped", &Skipped { skipped }),
                },
            }
        };
        self.told = Instant::now();
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_is_shown() {
        let read = choice("flow=a+b&topic=t.&text=%C3%A9&rate=1000", true).unwrap();
        let place = Some(("flow", "a b".to_owned()));
        let (topic, text) = (b"t.".to_vec(), "é".as_bytes().to_vec());
        assert_eq!(read, Choice { place, topic, text, rate: 1_000, with_bodies: true });
        let plain = Choice { place: None, topic: vec![], text: vec![], rate: TAIL_RATE, with_bodies: false };
        assert_eq!(choice("", false).unwrap(), plain);
        let long = format!("text={}", "x".repeat(TAIL_FILTER_BYTES_MAX + 1));
        for (query, why) in [
            ("rate=0", "rate: `0` is no number from 1 to 1000"),
            ("rate=1001", "is no number"),
            ("rate=x", "is no number"),
            ("flow=a&route=b", "one of flow, route and policy"),
            ("text=a&text=b", "once each; text is not taken"),
            ("bodies=true", "bodies is not taken"),
            (&long, "text: 257 bytes are more than 256"),
        ] {
            match choice(query, false) {
                Err(Problem::Malformed(detail)) => assert!(detail.contains(why), "{query}: {detail}"),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
