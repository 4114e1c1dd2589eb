//! Fuzzing of the configuration: what is printed is accepted, and means the same.

use super::{Config, Document};
use std::net::SocketAddr;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text.to_owned()).map(|(config, _)| config)
}

/// Reads a configuration, prints it, and reads that.
pub fn config(text: &str) {
    if names_a_host(text) {
        return;
    }
    let Ok(config) = parse(text) else { return };
    let printed = config.to_toml().expect("a configuration that was read can be printed");
    let read = parse(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(read.to_toml().expect("printed before"), printed);
    // Printing says every limit; apart from that nothing may have changed.
    for name in config.plugins.keys().map(String::as_str).chain(["another"]) {
        assert_eq!(read.limits_of(name), config.limits_of(name));
    }
    // What is found wrong as a whole is found again.
    assert_eq!(read.check(&Document::default()).is_ok(), config.check(&Document::default()).is_ok());
    assert_eq!(Config { limits: config.limits.clone(), ..read }, config);
}

/// Whether reading the text would ask the system for the address of a name.
fn names_a_host(text: &str) -> bool {
    let Ok(table) = text.parse::<toml::Table>() else { return false };
    ["http", "admin"].iter().any(|section| {
        let address = table.get(*section).and_then(|section| section.get("address")).and_then(toml::Value::as_str);
        address.is_some_and(|address| address != "none" && address.parse::<SocketAddr>().is_err())
    })
}
