//! One pool of workers by itself: its name, where it binds, and whether it can ask for keys.

use super::names;
use crate::config::Config;
use crate::config::document::Mistake;
use crate::config::streams::WorkerPool;

const TABLE: &str = "workers";

/// Whether a pool makes sense by itself.
pub(super) fn check(config: &Config, name: &str, pool: &WorkerPool) -> Result<(), Mistake> {
    names::check(TABLE, name)?;
    let mistake = |what: &str| Mistake::of(TABLE, name, what.to_owned());
    if pool.bind.is_empty() {
        return Err(mistake("it is empty: say where workers connect, such as tcp://127.0.0.1:5571").at("bind"));
    }
    for (index, endpoint) in pool.bind.iter().enumerate() {
        let refuse = |what: &str| Err(mistake(what).at("bind").entry(index));
        let Some(text) = &endpoint.0 else {
            return refuse("`none` is no endpoint here: leave it out");
        };
        if pool.bind[..index].contains(endpoint) {
            return refuse(&format!("`{text}` stands here twice: leave one out"));
        }
    }
    if pool.curve == Some(true) && config.curve.secret_key_file.is_none() {
        return Err(mistake(
            "curve.secret_key_file is not set: set it and curve.authorized_keys_dir (`tidegate keygen` makes the key)",
        )
        .at("curve"));
    }
    Ok(())
}
