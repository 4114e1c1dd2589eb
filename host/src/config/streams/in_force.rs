//! What is in force for sockets, pools, flows and routes, with defaults laid under what is said of each.

use super::{Flow, Route, Socket, SocketType, pool_of};
use crate::config::{Config, EVENTS, Messaging, OnFull, PUBLISH};
use std::collections::BTreeSet;
use std::path::Path;

/// Messages of a PULL or PAIR that may wait for their flow: what was taken from a peer is lost with the process.
const TAKEN_MESSAGES_MAX: usize = 1_000;

/// How much may wait in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// Messages.
    pub messages_max: usize,
    /// Bytes of all of them.
    pub bytes_max: usize,
}

/// What a socket is in CURVE, for all its endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveRole<'a> {
    /// It knows no keys.
    None,
    /// Its peers have to show a key on the host's list.
    Server,
    /// It shows the host's key, to peers with the public key in this file.
    Client(&'a Path),
}

impl Config {
    /// `[messaging]` with the bounds of one socket over it.
    pub fn messaging_of(&self, socket: &str) -> Messaging {
        let mut messaging = self.messaging.clone();
        if let Some(socket) = self.sockets.get(socket) {
            for (bound, own) in [
                (&mut messaging.queue_messages_max, socket.queue_messages_max),
                (&mut messaging.queue_bytes_max, socket.queue_bytes_max),
                (&mut messaging.peer_queue_bytes_max, socket.peer_queue_bytes_max),
            ] {
                *bound = own.unwrap_or(*bound);
            }
        }
        messaging
    }

    /// `[messaging]` with the bounds of one pool of workers over it.
    pub fn messaging_of_pool(&self, pool: &str) -> Messaging {
        let mut messaging = self.messaging.clone();
        if let Some(pool) = self.workers.get(pool) {
            messaging.queue_messages_max = pool.queue_messages_max.unwrap_or(messaging.queue_messages_max);
            messaging.queue_bytes_max = pool.queue_bytes_max.unwrap_or(messaging.queue_bytes_max);
        }
        messaging
    }

    /// Whether workers of a pool have to show a key on the host's list: as at the host's other sockets, unless it says
    /// otherwise.
    pub fn asks_workers_for_keys(&self, pool: &str) -> bool {
        let own = self.workers.get(pool).and_then(|pool| pool.curve);
        own.unwrap_or(self.curve.secret_key_file.is_some())
    }

    /// The flow that answers the frontend in place of a reply policy, by its name.
    pub fn frontend_flow(&self) -> Option<(&String, &Flow)> {
        self.flows.iter().find(|(_, flow)| flow.is_of_frontend())
    }

    /// How much of what a socket has read may wait for each flow: as much as in every queue, but from a PULL or a PAIR
    /// 1,000 messages unless it says more.
    pub fn inlet_bounds_of(&self, socket: &str) -> QueueBounds {
        let Messaging { queue_messages_max, queue_bytes_max, .. } = self.messaging_of(socket);
        let takes = |socket: &Socket| socket.kind != SocketType::Sub && socket.queue_messages_max.is_none();
        let messages_max = match self.sockets.get(socket) {
            Some(socket) if takes(socket) => queue_messages_max.min(TAKEN_MESSAGES_MAX),
            _ => queue_messages_max,
        };
        QueueBounds { messages_max, bytes_max: queue_bytes_max }
    }

    /// What becomes of a message for which a socket has no room: a SUB drops it, a PUB does as `[publisher]` says, and the
    /// others wait.
    pub fn on_full_of(&self, socket: &str) -> OnFull {
        let of = |socket: &Socket| {
            socket.on_full.unwrap_or(match socket.kind {
                SocketType::Sub | SocketType::Router => OnFull::DropNewest,
                SocketType::Pub => self.publisher.on_full,
                SocketType::Pull | SocketType::Pair | SocketType::Push => OnFull::Block,
            })
        };
        self.sockets.get(socket).map_or(self.publisher.on_full, of)
    }

    /// What a socket is in CURVE: a client where it says whom it trusts; else, where it binds, a server as the host's other
    /// sockets are, unless it says otherwise.
    pub fn curve_role_of(&self, socket: &str) -> CurveRole<'_> {
        match self.sockets.get(socket) {
            Some(Socket { server_key: Some(file), .. }) => CurveRole::Client(file),
            Some(Socket { bind, curve, .. }) if bind.iter().any(|endpoint| endpoint.websocket_path().is_none()) => {
                let is_server = curve.unwrap_or(self.curve.secret_key_file.is_some());
                if is_server { CurveRole::Server } else { CurveRole::None }
            }
            _ => CurveRole::None,
        }
    }

    /// The plugins and pools that a route leads through.
    pub fn route_through<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        match self.routes.get(name) {
            Some(Route { through, .. }) if !through.is_empty() => through.iter().map(String::as_str).collect(),
            _ => vec![name],
        }
    }

    /// The sockets that what comes out of a route goes to.
    pub fn route_sinks(&self, name: &str) -> Vec<&str> {
        match self.routes.get(name) {
            Some(Route { to: Some(to), .. }) => self.sinks_named(to.iter().map(String::as_str)),
            _ => self.sinks_named([PUBLISH]),
        }
    }

    /// The sinks that are meant where these are named. With `publish` that may be `events` too, or alone.
    pub fn sinks_named<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut sinks = Vec::new();
        for name in names {
            let is_published = name == PUBLISH;
            let own = (!is_published || self.messaging.publish.0.is_some()).then_some(name);
            let too = (is_published && self.events.takes_published()).then_some(EVENTS);
            for sink in [own, too].into_iter().flatten() {
                if !sinks.contains(&sink) {
                    sinks.push(sink);
                }
            }
        }
        sinks
    }

    /// The plugins that flows and routes name, and so have to be loaded at the start.
    pub fn plugins_in_use(&self) -> BTreeSet<&str> {
        self.steps().filter(|step| pool_of(step).is_none()).collect()
    }

    /// The pools that no flow and no route goes through. Nobody needs them, and they stay closed.
    pub fn unused_pools(&self) -> Vec<&str> {
        let used: BTreeSet<_> = self.steps().filter_map(pool_of).collect();
        self.workers.keys().map(String::as_str).filter(|name| !used.contains(name)).collect()
    }

    /// What flows and routes lead through.
    fn steps(&self) -> impl Iterator<Item = &str> {
        let flows = self.flows.values().flat_map(|flow| flow.through.iter().map(String::as_str));
        flows.chain(self.routes.keys().flat_map(|name| self.route_through(name)))
    }

    /// The sockets that no flow reads or writes and no route writes. Nobody needs them, and they stay closed.
    pub fn unused_sockets(&self) -> Vec<&str> {
        let flows = self.flows.values().flat_map(|flow| flow.from.iter().chain(&flow.to));
        let used: BTreeSet<_> =
            flows.chain(self.routes.values().filter_map(|route| route.to.as_ref()).flatten()).collect();
        self.sockets.keys().filter(|name| !used.contains(name)).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_socket_says_lies_over_what_is_said_of_all() {
        let config: Config = toml::from_str(
            "[messaging]\nqueue_messages_max = 5_000\nqueue_bytes_max = 70\n[publisher]\non_full = 'block'\n\
             [sockets.sub]\ntype = 'sub'\nconnect = ['tcp://h:1']\n\
             [sockets.pull]\ntype = 'pull'\nbind = ['tcp://h:2']\nqueue_bytes_max = 80\n\
             [sockets.pair]\ntype = 'pair'\nbind = ['tcp://h:3']\nqueue_messages_max = 9_000\npeer_queue_bytes_max = 90\n\
             [sockets.pub]\ntype = 'pub'\nbind = ['tcp://h:4']\n\
             [sockets.push]\ntype = 'push'\nconnect = ['tcp://h:5']\non_full = 'drop-newest'\n",
        )
        .expect("a configuration");
        let bounds = |messages_max, bytes_max| QueueBounds { messages_max, bytes_max };
        for (name, inlet, on_full) in [
            ("sub", bounds(5_000, 70), OnFull::DropNewest),
            ("pull", bounds(1_000, 80), OnFull::Block),
            ("pair", bounds(9_000, 70), OnFull::Block),
        ] {
            assert_eq!((config.inlet_bounds_of(name), config.on_full_of(name)), (inlet, on_full), "{name}");
        }
        assert_eq!((config.on_full_of("pub"), config.on_full_of("push")), (OnFull::Block, OnFull::DropNewest));
        let pair = config.messaging_of("pair");
        assert_eq!((pair.queue_messages_max, pair.queue_bytes_max, pair.peer_queue_bytes_max), (9_000, 70, 90));
        assert_eq!(config.messaging_of("push"), config.messaging);
    }

    #[test]
    fn a_socket_that_binds_is_a_server_where_the_host_has_a_key() {
        let role = |host: &str, socket: &str| {
            let text = format!("{host}\n[sockets.a]\ntype = 'pair'\n{socket}");
            let config: Config = toml::from_str(&text).expect("a configuration");
            match config.curve_role_of("a") {
                CurveRole::None => "none".to_owned(),
                CurveRole::Server => "server".to_owned(),
                CurveRole::Client(file) => file.display().to_string(),
            }
        };
        let (keys, bind) = ("[curve]\nsecret_key_file = 's'\nauthorized_keys_dir = 'd'", "bind = ['tcp://h:1']");
        assert_eq!((role("", bind), role(keys, bind)), ("none".to_owned(), "server".to_owned()));
        assert_eq!(role(keys, &format!("{bind}\ncurve = false")), "none");
        assert_eq!(role(keys, "connect = ['tcp://h:1']"), "none");
        assert_eq!(role(keys, "connect = ['tcp://h:1']\nserver_key = 'k'"), "k");
    }

    #[test]
    fn what_is_named_is_in_use() {
        let config: Config = toml::from_str(
            "[sockets]\na = { type = 'pull', bind = ['tcp://h:1'] }\nb = { type = 'push', bind = ['tcp://h:2'] }\n\
             c = { type = 'push', bind = ['tcp://h:3'] }\nd = { type = 'push', bind = ['tcp://h:4'] }\n\
             [workers]\ni = { bind = ['tcp://h:5'] }\nj = { bind = ['tcp://h:6'], queue_bytes_max = 7, curve = true }\n\
             k = { bind = ['tcp://h:7'] }\n\
             [flows.f]\nfrom = ['a']\nthrough = ['x', 'y', 'workers.i']\nto = ['b']\n\
             [routes.r]\nto = ['c']\n[routes.s]\nthrough = ['y', 'z', 'workers.j']\n",
        )
        .expect("a configuration");
        assert_eq!(config.plugins_in_use(), ["r", "x", "y", "z"].into());
        assert_eq!((config.unused_sockets(), config.unused_pools()), (vec!["d"], vec!["k"]));
        let [i, j] = ["i", "j"].map(|pool| config.messaging_of_pool(pool));
        assert_eq!((i.queue_bytes_max, j.queue_bytes_max), (config.messaging.queue_bytes_max, 7));
        assert_eq!(["i", "j"].map(|pool| config.asks_workers_for_keys(pool)), [false, true]);
        assert!(config.frontend_flow().is_none());
        assert_eq!((config.route_through("s"), config.route_through("t")), (vec!["y", "z", "workers.j"], vec!["t"]));
        assert_eq!((config.route_sinks("r"), config.route_sinks("s")), (vec!["c"], vec!["publish"]));
        let none: Config = toml::from_str("[messaging]\npublish = 'none'").expect("a configuration");
        assert!(none.route_sinks("t").is_empty());
        let events = |rest: &str| {
            let text = format!("{rest}\n[events]\nenabled = true");
            toml::from_str::<Config>(&text).expect("a configuration")
        };
        assert_eq!(events("").route_sinks("t"), ["publish", "events"]);
        assert_eq!(events("[messaging]\npublish = 'none'").route_sinks("t"), ["events"]);
        let named = |config: &Config, names: &[&'static str]| config.sinks_named(names.iter().copied()).join(" ");
        assert_eq!(named(&events(""), &["events", "a", "publish"]), "events a publish");
        let own = toml::from_str("[events]\nenabled = true\npublish = false").expect("a configuration");
        assert_eq!(named(&own, &["publish", "events"]), "publish events");
        assert_eq!(named(&own, &["publish"]), "publish");
    }
}
