//! The publisher as a sink of flows.

use super::Publisher;
use crate::flow::{Full, Message, Receipt, Sink};

impl Sink for Publisher {
    fn offer(&self, message: &Message) -> Result<Receipt, Full> {
        let trace = &message.trace;
        let Some((topic, body)) = message.clone().into_topic_and_body() else {
            return Err(Full("a published message is a topic and a body".to_owned()));
        };
        self.publish_below(trace, topic, body).map(|()| Receipt::Placed).map_err(|full| Full(full.to_string()))
    }
}
