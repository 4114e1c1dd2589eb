//! The hosts of a fleet: who they are, by address or by a name that stands for all of them, and asking all at once.

use crate::cli::output::render::one_line;
use crate::cli::plugin::{Client, TOKEN_FILE};
use crate::config::{FLEET_ANSWER_BYTES_MAX, FLEET_HOSTS_MAX, timeout};
use anyhow::{anyhow, bail};
use clap::Args;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longer texts of hosts are cut: they say what they like.
const TEXT_LETTERS_MAX: usize = 500;

/// The flags that say which hosts.
#[derive(Debug, Args)]
pub(super) struct Hosts {
    /// The admin addresses of the hosts, HOST:PORT each, in the order in which they are changed
    #[arg(value_name = "HOST", required_unless_present = "dns")]
    hosts: Vec<Place>,
    /// All addresses of this name, NAME:PORT, in place of a list of hosts
    #[arg(long, value_name = "NAME", conflicts_with = "hosts")]
    dns: Option<Place>,
    /// How long an answer of a host is waited for; a load takes the time that it takes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    timeout: Duration,
    /// The file with the token that the hosts ask for, the one of their admin.token_file
    #[arg(long, value_name = "FILE", env = TOKEN_FILE)]
    token_file: Option<PathBuf>,
    /// Print what there is to say as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Where an admin surface is: a name or an address, and the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(String);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("https://") {
            return Err(format!("`{text}`: an admin surface speaks plain HTTP: name it as HOST:PORT"));
        }
        let place = text.strip_prefix("http://").unwrap_or(text);
        let place = place.strip_suffix('/').unwrap_or(place);
        match place.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() && !place.contains('/') => {
                Ok(Self(place.to_owned()))
            }
            _ => Err(format!("`{text}` is not the admin address of a host such as 10.0.0.5:5001 or host.example:5001")),
        }
    }
}

/// One host of the fleet.
#[derive(Debug)]
pub(super) struct Host {
    /// As the user has named it.
    pub(super) name: String,
    /// Who asks it; or why nobody can.
    client: Result<Client, String>,
}

impl Hosts {
    /// The hosts, each with its address.
    ///
    /// # Errors
    /// When there are too many, two are the same, or the name stands for none.
    pub(super) fn find(&self) -> anyhow::Result<Vec<Host>> {
        let host = |(name, address): (String, Result<SocketAddr, String>)| Host {
            client: address.map(|address| Client {
                address,
                token_file: self.token_file.clone(),
                remedies: ["start it, or take it off the list", "name the admin address of one"],
                deadline: Some(self.timeout),
                answer_bytes_max: FLEET_ANSWER_BYTES_MAX,
            }),
            name,
        };
        let places = match &self.dns {
            Some(place) => vec![place.clone()],
            None => self.hosts.clone(),
        };
        check_count(places.len())?;
        let found = resolved(&places, self.timeout);
        let hosts: Vec<Host> = match &self.dns {
            None => {
                let first = |(place, addresses): (Place, Result<Vec<SocketAddr>, String>)| {
                    (place.0, addresses.map(|addresses| addresses[0]))
                };
                places.into_iter().zip(found).map(first).map(host).collect()
            }
            Some(place) => {
                let addresses = found.into_iter().next().unwrap_or_else(|| Ok(Vec::new()));
                let addresses = addresses.map_err(|why| anyhow!("--dns {}: {why}", place.0))?;
                addresses.into_iter().map(|address| host((address.to_string(), Ok(address)))).collect()
            }
        };
        check_count(hosts.len())?;
        let mut known = BTreeMap::new();
        for Host { name, client } in &hosts {
            if let Ok(client) = client
                && let Some(other) = known.insert(client.address, name)
            {
                bail!("{other} and {name} are the same host: name it once");
            }
        }
        Ok(hosts)
    }
}

fn check_count(count: usize) -> anyhow::Result<()> {
    if count > FLEET_HOSTS_MAX {
        bail!("{count} hosts are more than {FLEET_HOSTS_MAX}: name some of them at a time");
    }
    Ok(())
}

/// The addresses of each place, at least one, IPv4 first. All are looked up at the same time: one that hangs holds up no other.
fn resolved(places: &[Place], within: Duration) -> Vec<Result<Vec<SocketAddr>, String>> {
    let (tell, told) = mpsc::channel();
    for (number, Place(place)) in places.iter().enumerate() {
        let (tell, place) = (tell.clone(), place.clone());
        let look = move || {
            // Nobody listens any more where it took too long.
            let _ = tell.send((number, addresses(&place)));
        };
        // One that got no thread is among those that are silent.
        let _ = thread::Builder::new().name("resolve".to_owned()).spawn(look);
    }
    drop(tell);
    let late = || Err(format!("the name is not resolved within {} ms", within.as_millis()));
    let mut found: Vec<_> = places.iter().map(|_| late()).collect();
    let until = Instant::now() + within;
    while let Ok((number, addresses)) = told.recv_timeout(until.saturating_duration_since(Instant::now())) {
        found[number] = addresses;
    }
    found
}

fn addresses(place: &str) -> Result<Vec<SocketAddr>, String> {
    let found = place.to_socket_addrs().map_err(|error| format!("the name is not resolved: {error}"))?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(|address| (address.is_ipv6(), *address));
    found.dedup();
    if found.is_empty() { Err("the name stands for no address".to_owned()) } else { Ok(found) }
}

impl Host {
    /// Who asks it.
    ///
    /// # Errors
    /// Says why nobody can.
    pub(super) fn client(&self) -> Result<&Client, String> {
        self.client.as_ref().map_err(Clone::clone)
    }
}

/// Asks all hosts at the same time, each in a thread of its own.
pub(super) fn ask_all<T: Send>(
    hosts: &[Host],
    ask: impl Fn(&Client) -> Result<T, String> + Sync,
) -> Vec<Result<T, String>> {
    thread::scope(|scope| {
        let asking: Vec<_> = hosts
            .iter()
            .map(|host| thread::Builder::new().spawn_scoped(scope, || host.client().and_then(&ask)))
            .collect();
        let answer = |asking: std::io::Result<thread::ScopedJoinHandle<'_, Result<T, String>>>| {
            let asking = asking.map_err(|error| format!("starting a thread: {error}"))?;
            asking.join().unwrap_or_else(|_| Err("asking it panicked".to_owned()))
        };
        asking.into_iter().map(answer).collect()
    })
}

/// What a host says, on one line, as far as it is worth reading.
pub(super) fn in_short(text: &str) -> String {
    let text = one_line(text);
    match text.char_indices().nth(TEXT_LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_addresses_or_names_with_a_port() {
        for text in ["10.0.0.5:5001", "http://10.0.0.5:5001", "http://10.0.0.5:5001/"] {
            assert_eq!(text.parse(), Ok(Place("10.0.0.5:5001".to_owned())), "{text}");
        }
        assert_eq!("[::1]:5001".parse(), Ok(Place("[::1]:5001".to_owned())));
        for text in ["", "host", ":5001", "host:", "host:70000", "http://host:1/x", "https://host:1", "none"] {
            assert!(text.parse::<Place>().unwrap_err().contains(text), "{text}");
        }
    }

    #[test]
    fn a_name_stands_for_all_its_addresses() {
        let places = ["127.0.0.1:5001", "no-such-host.invalid:1"].map(|place| Place(place.to_owned()));
        let found = resolved(&places, Duration::from_secs(60));
        assert_eq!(found[0], Ok(vec!["127.0.0.1:5001".parse().unwrap()]));
        assert!(found[1].as_ref().unwrap_err().contains("not resolved"), "{found:?}");
    }

    #[test]
    fn what_a_host_says_steers_nothing_and_has_an_end() {
        assert_eq!(in_short("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(in_short(&"é".repeat(10_000)).chars().count(), TEXT_LETTERS_MAX + 1);
    }
}
