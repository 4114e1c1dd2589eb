//! The plugin my-plugin: one request of a broker's client in, any number of replies out.

#[cfg(target_arch = "wasm32")]
mod memory;
mod panic_text;

use exports::tidegate::plugin::reply_policy::{Error, Guest, Message, Reply, Request};

wit_bindgen::generate!({ path: "wit", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn replies(request: Request) -> Result<Vec<Reply>, Error> {
        panic_text::install();
        let frames = request.message.frames;
        if frames.iter().all(Vec::is_empty) {
            return Err(Error::Rejected("say something".to_owned()));
        }
        // At once, and again 100 ms later.
        let reply = |delay_ms| Reply { delay_ms, message: Message { metadata: Vec::new(), frames: frames.clone() } };
        Ok(vec![reply(0), reply(100)])
    }
}
