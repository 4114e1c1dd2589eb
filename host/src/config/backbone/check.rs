//! Whether all that is said of NATS and JetStream fits together.

use super::place::{JETSTREAM, JetStreamSource};
use super::subject::SubjectTemplate;
use super::{JetStreamStream, Nats};
use crate::config::Config;
use crate::config::document::Mistake;

/// Whether `[nats]` and `[streams]` make sense by themselves.
///
/// # Errors
/// The first mistake.
pub(in crate::config) fn check(config: &Config) -> Result<(), Mistake> {
    if let Some(nats) = &config.nats {
        check_nats(nats)?;
    }
    for (name, stream) in &config.streams {
        check_stream(config, name, stream)?;
    }
    Ok(())
}

fn check_nats(nats: &Nats) -> Result<(), Mistake> {
    let mistake = |what: String| Mistake::within("nats", what);
    check_url(&nats.url).map_err(|what| mistake(what).at("url"))?;
    for (key, is_set, is_other_set, other) in [
        ("tls_cert", nats.tls_cert.is_some(), nats.tls_key.is_some(), "nats.tls_key, the file of its private key"),
        ("tls_key", nats.tls_key.is_some(), nats.tls_cert.is_some(), "nats.tls_cert, the file of its certificate"),
        ("user", nats.user.is_some(), nats.password_file.is_some(), "nats.password_file, the file of its password"),
        ("password_file", nats.password_file.is_some(), nats.user.is_some(), "nats.user, whose password it is"),
    ] {
        if is_set && !is_other_set {
            return Err(mistake(format!("it is set without {other}: set both, or neither")).at(key));
        }
    }
    Ok(())
}

/// Whether these are servers of NATS, with commas between them.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    if url.contains('@') {
        // It would be shown wherever the configuration is.
        return Err("it says who logs in: leave that out, and set nats.credentials_file, nats.user or nats.token_file"
            .to_owned());
    }
    let is_server = |server: &&str| {
        let address = ["nats://", "tls://"].iter().find_map(|scheme| server.strip_prefix(scheme));
        address.is_some_and(|address| !address.is_empty() && !address.contains(['/', ' ']))
    };
    match url.split(',').map(str::trim).find(|server| !is_server(server)) {
        Some(server) => Err(format!("`{server}` is no server of NATS: write one such as nats://127.0.0.1:4222")),
        None => Ok(()),
    }
}

fn check_stream(config: &Config, name: &str, stream: &JetStreamStream) -> Result<(), Mistake> {
    let mistake = |what: String| Mistake::of("streams", name, what);
    if config.nats.is_none() {
        return Err(mistake("there is no [nats]: add it with the `url` of a server".to_owned()));
    }
    if JetStreamSource::of(&format!("{JETSTREAM}{name}/x")).is_none() {
        return Err(mistake(format!("`{name}` does not match [A-Za-z0-9_-]+: give it another name")));
    }
    if stream.subjects.is_empty() {
        return Err(
            mistake("it is empty: name the subjects that it keeps, such as `orders.>`".to_owned()).at("subjects")
        );
    }
    let is_subject = |subject: &String| {
        let is_token = |token: &str| !token.is_empty() && !token.contains([' ', '\t', '\r', '\n', '\0']);
        subject.split('.').all(is_token)
    };
    if let Some(index) = stream.subjects.iter().position(|subject| !is_subject(subject)) {
        let what = format!("`{}` is no subject: write one such as `orders.>`", stream.subjects[index]);
        return Err(mistake(what).at("subjects").entry(index));
    }
    for (consumer, of) in &stream.consumers {
        let letters = of.dead_letters_of(name);
        if letters == *name || JetStreamSource::of(&format!("{JETSTREAM}{letters}/x")).is_none() {
            let what = format!("`{letters}` can be no stream of the dead letters of {consumer}: name another one");
            return Err(mistake(what).at("consumers"));
        }
    }
    for consumer in stream.consumers.keys() {
        if JetStreamSource::of(&format!("{JETSTREAM}{name}/{consumer}")).is_none() {
            let what = format!("the consumer `{consumer}` does not match [A-Za-z0-9_-]+: give it another name");
            return Err(mistake(what).at("consumers"));
        }
    }
    Ok(())
}

/// Why messages cannot be read from a place in JetStream; none if they can.
pub(in crate::config) fn check_source(config: &Config, name: &str) -> Option<String> {
    if JetStreamSource::of(name).is_none() {
        return Some(format!("`{name}` is no place to read from: write {JETSTREAM}STREAM/CONSUMER"));
    }
    no_nats(config, name)
}

/// Why messages cannot be written to a place in JetStream; none if they can.
pub(in crate::config) fn check_sink(config: &Config, name: &str) -> Option<String> {
    if JetStreamSource::of(name).is_some() {
        return Some(format!(
            "`{name}` is a consumer, from which messages come: write {JETSTREAM}SUBJECT without a `/`"
        ));
    }
    let subject = name.strip_prefix(JETSTREAM).unwrap_or(name);
    match subject.parse::<SubjectTemplate>() {
        Ok(_) => no_nats(config, name),
        Err(what) => Some(what),
    }
}

fn no_nats(config: &Config, name: &str) -> Option<String> {
    config.nats.is_none().then(|| {
        format!(
            "`{name}` is in NATS, and there is no [nats]: add it with the `url` of a server, and start the host again"
        )
    })
}
