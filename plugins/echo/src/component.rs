//! The component around the logic: the role `reply-policy` of the contract.

use crate::logic;
use arena as _;
use exports::tidegate::plugin::reply_policy::{Error, Guest, Message, Reply, Request};

wit_bindgen::generate!({ path: "../../wit", world: "reply-policy-plugin", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn replies(request: Request) -> Result<Vec<Reply>, Error> {
        let (delay_ms, frames) = logic::reply(request.message.frames);
        Ok(vec![Reply { delay_ms, message: Message { metadata: Vec::new(), frames } }])
    }
}
