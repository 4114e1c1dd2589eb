//! The component around the logic: the role `reply-policy` of the contract.

use crate::logic;
use arena as _;
use exports::tidegate::plugin::reply_policy::{Error, Guest, Reply, Request};
use wasi::random::random::get_random_bytes;

wit_bindgen::generate!({ path: "../../wit/0.1.0", world: "reply-policy-plugin", generate_all });

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
        Ok(delays_ms.into_iter().map(|delay_ms| Reply { delay_ms, frames: request.frames.clone() }).collect())
    }
}
