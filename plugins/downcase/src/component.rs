//! The component around the logic: the role `transform` of the contract.

use crate::logic;
use arena as _;
use exports::tidegate::plugin::transform::{Error, Guest, Message};

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "transform-plugin", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn transform(input: Message) -> Result<Option<Message>, Error> {
        let body = logic::answer(&input.body).map_err(Error::Rejected)?;
        // No metadata: nothing of a request is echoed into the headers of its answer.
        Ok(Some(Message { topic: String::new(), metadata: Vec::new(), body }))
    }
}
