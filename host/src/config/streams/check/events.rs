//! The events: whether there is where to serve them, and whose pages may follow them.

use super::names;
use super::routes::check_origin;
use crate::config::Config;
use crate::config::document::Mistake;

const TABLE: &str = "events";

/// Whether `[events]` makes sense.
pub(super) fn check(config: &Config) -> Result<(), Mistake> {
    let mistake = |what: String| Mistake::within(TABLE, what);
    let events = &config.events;
    if events.enabled && config.http.address.0.is_none() {
        let what = "http.address is none, and events are served there: give it an address, or leave this out";
        return Err(mistake(what.to_owned()).at("enabled"));
    }
    names::check_unique("origins", &events.origins, mistake)?;
    for (index, origin) in events.origins.iter().enumerate() {
        check_origin(origin).map_err(|what| mistake(what).at("origins").entry(index))?;
    }
    Ok(())
}
