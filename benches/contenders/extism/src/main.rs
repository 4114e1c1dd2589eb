//! extism as a contender: the same logic as its plugin, called through a plugin that is reused and through fresh ones.

#[path = "../../turns.rs"]
mod turns;

use anyhow::Result;
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use turns::Contender;

const GUEST: &[u8] = include_bytes!("../guest.wasm");
const FUNCTION: &str = "downcase";

fn main() -> Result<()> {
    // The plugin is compiled once, so that a fresh plugin is a fresh instance, as in Tidegate.
    let builder = PluginBuilder::new(Manifest::new([Wasm::data(GUEST)])).with_wasi(false);
    let compiled = CompiledPlugin::new(builder)?;
    let mut reused = Plugin::new_from_compiled(&compiled)?;
    turns::take(&mut [
        Contender {
            name: "extism-reused",
            prefix: "",
            calls: Box::new(|bodies| {
                let mut answer: &[u8] = &[];
                for body in bodies {
                    // The answer is borrowed from the guest, so that extism is not charged for a copy.
                    answer = reused.call(FUNCTION, body)?;
                }
                Ok(answer.to_vec())
            }),
        },
        Contender {
            name: "extism-fresh",
            prefix: "",
            calls: Box::new(|bodies| {
                let mut answer = Vec::new();
                for body in bodies {
                    answer = Plugin::new_from_compiled(&compiled)?.call(FUNCTION, body)?;
                }
                Ok(answer)
            }),
        },
    ])
}
