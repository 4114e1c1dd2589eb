//! The subjects to which the servers do not let this account publish: a message to one of them is answered by nobody.

use std::sync::Arc;
use tokio::sync::broadcast;

/// What precedes such a subject, which is in quotes as Go writes it.
const DENIAL: &str = "Permissions Violation for Publish to ";
/// Subjects that a sink has not heard of yet: as many as the client has events for. What it misses is not answered in time, and goes
/// again, a few at a time.
const UNHEARD_MAX: usize = 128;

/// Tells all that listen.
#[derive(Clone)]
pub(super) struct Denied(broadcast::Sender<Arc<str>>);

impl Denied {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(UNHEARD_MAX))
    }

    /// Takes in what a server complains of.
    pub(super) fn note(&self, complaint: &str) {
        if let Some(subject) = subject_of(complaint) {
            // Maybe nobody listens.
            let _ = self.0.send(subject.into());
        }
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }
}

fn subject_of(complaint: &str) -> Option<String> {
    let (_, rest) = complaint.split_once(DENIAL)?;
    let quoted = rest.get(..=rest.rfind('"')?)?;
    // A subject has nothing that Go and JSON would write differently.
    serde_json::from_str(quoted).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_stands_in_quotes() {
        let of = |complaint: &str| subject_of(complaint);
        assert_eq!(of(r#"nats: Permissions Violation for Publish to "a.b""#).as_deref(), Some("a.b"));
        assert_eq!(of(r#"Permissions Violation for Publish to "a.\"\\\"", and on"#).as_deref(), Some(r#"a."\""#));
        for other in ["", "Permissions Violation for Publish to ", r#"Permissions Violation for Subscription to "a""#] {
            assert_eq!(of(other), None, "{other}");
        }
        for broken in [r#"Permissions Violation for Publish to ""#, r#"Permissions Violation for Publish to "a\x""#] {
            assert_eq!(of(broken), None, "{broken}");
        }
    }
}
