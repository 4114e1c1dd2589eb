//! The logic of `plugins/downcase` as a plugin of extism.

#[path = "../../../../../plugins/downcase/src/logic.rs"]
mod logic;

use extism_pdk::{FnResult, plugin_fn};

/// The answer to a text.
#[plugin_fn]
pub fn downcase(body: Vec<u8>) -> FnResult<Vec<u8>> {
    let answer = logic::answer(&body).map_err(extism_pdk::Error::msg)?;
    Ok(answer.into())
}
