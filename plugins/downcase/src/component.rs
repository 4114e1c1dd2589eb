//! The component around the logic: the role `processor` of the contract.

use crate::logic;
use arena as _;
use exports::tidegate::plugin::processor::{Error, Guest, Message};

wit_bindgen::generate!({ path: "../../wit", world: "processor-plugin", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn process(input: Message) -> Result<Vec<Message>, Error> {
        // The body comes last, and what is before it stays: a topic, where the message has one.
        let mut frames = input.frames;
        if let Some(body) = frames.last_mut() {
            *body = logic::answer(body).map_err(Error::Rejected)?;
        }
        // No metadata: nothing of a request is echoed into the headers of its answer.
        Ok(vec![Message { metadata: Vec::new(), frames }])
    }
}
