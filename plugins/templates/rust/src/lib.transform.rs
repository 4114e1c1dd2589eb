//! The plugin my-plugin: one message in, at most one out.

#[cfg(target_arch = "wasm32")]
mod memory;
mod panic_text;

use exports::tidegate::plugin::transform::{Error, Guest, Message};

wit_bindgen::generate!({ path: "wit", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn transform(input: Message) -> Result<Option<Message>, Error> {
        panic_text::install();
        if input.body.is_empty() {
            return Err(Error::Rejected("say something".to_owned()));
        }
        if input.body.starts_with(b"#") {
            return Ok(None);
        }
        let body = [b"you said ", &input.body[..]].concat();
        Ok(Some(Message { topic: String::new(), metadata: Vec::new(), body }))
    }
}
