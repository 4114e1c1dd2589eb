//! The plugin my-plugin: one message in, any number of messages out.

#[cfg(target_arch = "wasm32")]
mod memory;
mod panic_text;

use exports::tidegate::plugin::processor::{Error, Guest, Message};

wit_bindgen::generate!({ path: "wit", generate_all });

struct Plugin;

export!(Plugin);

impl Guest for Plugin {
    fn process(input: Message) -> Result<Vec<Message>, Error> {
        panic_text::install();
        // The body comes last; by HTTP it is all there is.
        let (body, before) = input.frames.split_last().expect("a message has at least one frame");
        if body.is_empty() {
            return Err(Error::Rejected("say something".to_owned()));
        }
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let said = |line: &[u8]| {
            let mut frames = before.to_vec();
            frames.push([b"you said ", line].concat());
            Message { metadata: Vec::new(), frames }
        };
        Ok(lines.map(said).collect())
    }
}
