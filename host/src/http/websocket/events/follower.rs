//! What one WebSocket follows: topics that come and go, each from where its client has come.

#[cfg(test)]
mod tests;

use crate::config::WEBSOCKET_MESSAGES_AT_ONCE;
use crate::flow::Client;
use crate::http::events::{EventId, EventStream, Hub, Next, OpenError, Resume, Wanted};
use crate::http::problem::Problem;
use crate::http::server::head::Head;
use bytes::Bytes;
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use tokio::task::yield_now;

/// A stream of events, and what is subscribed to.
pub(super) struct Follower {
    hub: Arc<Hub>,
    client: Client,
    /// There always is one, but for when another takes its place.
    stream: Option<EventStream>,
    topics: HashMap<Bytes, Topic>,
    /// Up to here the stream has more than the client is to get: what it has, and what it does not want.
    sifted_until: u64,
}

/// One topic.
#[derive(Clone, Copy)]
struct Topic {
    /// How often it is subscribed to.
    times: u32,
    /// The client wants what came after this number.
    after: u64,
    /// It has what came up to there, as it says itself.
    has_before: bool,
    /// It was given what came from there up to this number.
    given_until: u64,
}

impl Topic {
    fn new(after: u64, has_before: bool) -> Self {
        Self { times: 0, after, has_before, given_until: after }
    }

    fn subscribe(&mut self) {
        self.times = self.times.saturating_add(1);
    }

    fn has(&self, number: u64) -> bool {
        number <= self.given_until && (self.has_before || number > self.after)
    }
}

impl Follower {
    /// Of what the query says.
    ///
    /// # Errors
    /// When it says what is not known here, or there are as many streams as may be.
    pub(super) fn of(hub: &Arc<Hub>, client: Client, head: &Head) -> Result<Self, Problem> {
        let Wanted { topics, resume } = Wanted::of(head.query(), &head.parts.headers)?;
        Ok(Self::new(hub, client, topics, resume)?)
    }

    fn new(hub: &Arc<Hub>, client: Client, wanted: Vec<Bytes>, resume: Resume) -> Result<Self, OpenError> {
        let stream = hub.open(client, wanted.clone(), resume)?;
        let EventId { epoch, number } = stream.position();
        let topic = Topic::new(number, matches!(resume, Resume::After(id) if id.epoch == epoch));
        let mut topics = HashMap::new();
        wanted.into_iter().for_each(|wanted| topics.entry(wanted).or_insert(topic).subscribe());
        Ok(Self { hub: Arc::clone(hub), client, stream: Some(stream), topics, sifted_until: 0 })
    }

    pub(super) fn takes_nothing(&self) -> bool {
        self.topics.is_empty()
    }

    /// From where another one would go on: the client was given everything up to there that is for it.
    pub(super) fn position(&self) -> Option<EventId> {
        self.stream.as_ref().map(EventStream::position)
    }

    /// Follows topics too, from where the client says. What it has of others is not given to it again.
    ///
    /// # Errors
    /// When there is no room for one of them, and nothing has changed; or none for a stream any more, and it is gone.
    pub(super) fn subscribe(&mut self, wanted: Vec<Bytes>, resume: Resume) -> Result<(), OpenError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let (position, kept) = (stream.position(), self.hub.kept());
        let newest = kept.end - 1;
        // Also where they begin elsewhere: so what cannot be is refused before anything changes.
        for (index, topic) in wanted.iter().enumerate() {
            if let Err(error) = stream.subscribe(topic.clone()) {
                let added = wanted[..index].iter().filter(|&topic| !self.topics.contains_key(topic));
                added.for_each(|topic| stream.unsubscribe(topic));
                return Err(error.into());
            }
        }
        // Another one has to begin where the first is to go on of what any topic lacks.
        let another = |after: u64| Resume::After(EventId { number: after.min(position.number), ..position });
        let (after, has_before, another) = match resume {
            Resume::Now => (newest, false, None),
            Resume::Earliest => (kept.start - 1, false, Some(another(kept.start - 1))),
            Resume::After(EventId { epoch, number }) if epoch == position.epoch => {
                (number.min(newest), true, (number < newest).then(|| another(number)))
            }
            Resume::After(_) | Resume::Unknown => (0, false, Some(resume)),
        };
        let is_new = wanted.iter().any(|topic| !self.topics.contains_key(topic));
        let another = another.filter(|_| is_new);
        if another.is_some() {
            let given = self.topics.values_mut().map(|topic| &mut topic.given_until);
            given.for_each(|until| *until = position.number.max(*until));
        }
        let topic = Topic::new(after, has_before);
        wanted.into_iter().for_each(|wanted| self.topics.entry(wanted).or_insert(topic).subscribe());
        self.sifted_until = newest;
        if let Some(resume) = another {
            // The old one goes first, so that who has the last permit can go on.
            self.stream = None;
            let topics = self.topics.keys().cloned().collect();
            self.stream = Some(self.hub.open(self.client, topics, resume)?);
        }
        Ok(())
    }

    /// Takes one subscription back, if there is one.
    pub(super) fn cancel(&mut self, topic: &Bytes) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        known.times -= 1;
        if known.times == 0 {
            self.topics.remove(topic);
            if let Some(stream) = &mut self.stream {
                stream.unsubscribe(topic);
            }
        }
    }

    /// What comes next. Nothing is lost where it is not waited for to the end.
    pub(super) async fn next(&mut self) -> Next {
        loop {
            for _ in 0..WEBSOCKET_MESSAGES_AT_ONCE {
                let Some(stream) = &mut self.stream else { return pending().await };
                let next = stream.next().await;
                if self.is_for_client(&next) {
                    return next;
                }
            }
            // A ring may have millions that are not.
            yield_now().await;
        }
    }

    /// The same if it is there already, and not behind much that is not for the client.
    pub(super) fn try_next(&mut self) -> Option<Next> {
        for _ in 0..WEBSOCKET_MESSAGES_AT_ONCE {
            let next = self.stream.as_mut()?.try_next()?;
            if self.is_for_client(&next) {
                return Some(next);
            }
        }
        None
    }

    /// Whether the client wants it, and does not have it yet.
    fn is_for_client(&self, next: &Next) -> bool {
        match next {
            Next::Event { event, .. } if event.number <= self.sifted_until => {
                let frame = event.frames.first().map_or(&[][..], |frame| frame);
                let of = || self.topics.iter().filter(|(topic, _)| frame.starts_with(topic)).map(|(_, topic)| topic);
                of().any(|topic| topic.after < event.number) && !of().any(|topic| topic.has(event.number))
            }
            _ => true,
        }
    }
}
