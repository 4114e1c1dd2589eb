//! The component around the logic: the role `reply-policy` of the contract.

use crate::logic;
use arena as _;
use exports::tidegate::plugin::reply_policy::{Error, Guest, Message, Reply, Request};
use wasi::random::random::get_random_bytes;

wit_bindgen::generate!({ path: "../../wit", world: "reply-policy-plugin", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn replies(request: Request) -> Result<Vec<Reply>, Error> {
        // One call of the host is enough, but for one request in 10^20.
        let delays_ms = loop {
            if let Some(delays_ms) = logic::delays_ms(&get_random_bytes(logic::RANDOM_BYTES)) {
                break delays_ms;
            }
        };
        let copy = || Message { metadata: Vec::new(), frames: request.message.frames.clone() };
        Ok(delays_ms.into_iter().map(|delay_ms| Reply { delay_ms, message: copy() }).collect())
    }
}
