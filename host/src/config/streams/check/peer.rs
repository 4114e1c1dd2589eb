//! What an endpoint stands for, however it is written: whether two are one, and whether one leads to the other.

use crate::config::address::WEBSOCKET;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

/// What is at an endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// A port of a machine; none is any that is free.
    Tcp(Host, Option<u16>),
    /// A socket in the file system; none is any that is free.
    Ipc(Option<PathBuf>),
    /// A path of the public HTTP surface.
    WebSocket(String),
}

/// An address of a machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// All of this machine.
    Any,
    /// `localhost`, which is an address of IPv4, of IPv6, or both.
    Local,
    /// One address.
    Address(IpAddr),
    /// What a name stands for, or the interface of that name; in lower case.
    Name(String),
}

impl Host {
    fn of(text: &str) -> Self {
        let bare = text.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        match (bare.as_str(), bare.parse::<IpAddr>()) {
            ("*", _) => Self::Any,
            ("localhost" | "lo", _) => Self::Local,
            (_, Ok(address)) if address.is_unspecified() => Self::Any,
            (_, Ok(address)) => Self::Address(address.to_canonical()),
            (_, Err(_)) => Self::Name(bare),
        }
    }

    fn is_loopback(&self) -> bool {
        matches!(self, Self::Local) || matches!(self, Self::Address(address) if address.is_loopback())
    }

    /// Whether these are one, as far as their texts say.
    fn is_one_with(&self, other: &Self) -> bool {
        let is_usual = |host: &Self| matches!(host, Self::Address(address) if ["127.0.0.1", "::1"].contains(&address.to_string().as_str()));
        let is_local = |one: &Self, other: &Self| *one == Self::Local && is_usual(other);
        self == other || is_local(self, other) || is_local(other, self)
    }
}

impl Peer {
    /// At an endpoint that is sound.
    pub(super) fn of(endpoint: &str) -> Self {
        if let Some(path) = endpoint.strip_prefix(WEBSOCKET) {
            return Self::WebSocket(path.to_owned());
        }
        match endpoint.split_once("://") {
            Some(("tcp" | "dns+tcp", rest)) => {
                let (host, port) = rest.rsplit_once(':').unwrap_or((rest, "*"));
                Self::Tcp(Host::of(host), port.parse().ok().filter(|port| *port > 0))
            }
            Some((_, "*")) | None => Self::Ipc(None),
            // An abstract one is no path.
            Some((_, name)) if name.starts_with('@') => Self::Ipc(Some(name.into())),
            Some((_, path)) => Self::Ipc(Some(plain(Path::new(path)))),
        }
    }

    /// Whether it stands for several places, at which one can bind and to which nobody can connect.
    pub(super) fn is_wildcard(&self) -> bool {
        matches!(self, Self::Tcp(Host::Any, _) | Self::Tcp(_, None) | Self::Ipc(None))
    }

    /// Whether two sockets that bind here and there would be in each other's way.
    pub(super) fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp(host, Some(port)), Self::Tcp(other, Some(other_port))) => {
                port == other_port && (*host == Host::Any || *other == Host::Any || host.is_one_with(other))
            }
            (Self::Ipc(Some(path)), Self::Ipc(Some(other))) => path == other,
            (Self::WebSocket(path), Self::WebSocket(other)) => path == other,
            _ => false,
        }
    }

    /// Whether who connects here meets who binds there, as far as the texts say.
    pub(super) fn leads_to(&self, bound: &Self) -> bool {
        match (self, bound) {
            (Self::Tcp(host, Some(port)), Self::Tcp(bound, Some(bound_port))) => {
                port == bound_port && (host.is_one_with(bound) || *bound == Host::Any && host.is_loopback())
            }
            _ => self.collides_with(bound),
        }
    }
}

/// A path without what makes no difference in it.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::ParentDir => drop(plain.pop()),
            component => plain.push(component),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_endpoints_are_one_however_they_are_written() {
        for (one, other) in [
            ("tcp://127.0.0.1:1", "tcp://localhost:1"),
            ("tcp://LOCALHOST:1", "tcp://[::1]:1"),
            ("tcp://*:1", "tcp://[::]:1"),
            ("tcp://0.0.0.0:1", "tcp://10.0.0.1:1"),
            ("tcp://[::ffff:10.0.0.1]:1", "tcp://10.0.0.1:1"),
            ("tcp://Feed.example:1", "tcp://feed.example:1"),
            ("ipc:///tmp/a/../b", "ipc:///tmp//./b"),
            ("ipc://x", "ipc://./x"),
            ("ipc://@x", "ipc://@x"),
        ] {
            assert!(Peer::of(one).collides_with(&Peer::of(other)), "{one} {other}");
            assert!(Peer::of(other).collides_with(&Peer::of(one)), "{other} {one}");
        }
        for (one, other) in [
            ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2"),
            ("tcp://127.0.0.1:1", "tcp://[::1]:1"),
            ("tcp://127.0.0.1:1", "tcp://127.0.0.2:1"),
            ("tcp://*:*", "tcp://*:*"),
            ("tcp://*:0", "tcp://*:0"),
            ("ipc://*", "ipc://*"),
            ("ipc://@x", "ipc://x"),
            ("ipc:///tmp/a", "tcp://127.0.0.1:1"),
        ] {
            assert!(!Peer::of(one).collides_with(&Peer::of(other)), "{one} {other}");
        }
    }

    #[test]
    fn who_connects_meets_who_binds() {
        for (connect, bind) in [
            ("tcp://localhost:1", "tcp://*:1"),
            ("tcp://127.0.0.5:1", "tcp://0.0.0.0:1"),
            ("tcp://[::1]:1", "tcp://localhost:1"),
            ("tcp://feed.example:1", "tcp://feed.example:1"),
            ("dns+tcp://localhost:1", "tcp://*:1"),
            ("ipc:///tmp/a", "ipc:///tmp/./a"),
        ] {
            assert!(Peer::of(connect).leads_to(&Peer::of(bind)), "{connect} {bind}");
        }
        // The port of another machine is not the same port of this one.
        for (connect, bind) in [
            ("tcp://feed.example:1", "tcp://*:1"),
            ("tcp://10.0.0.1:1", "tcp://*:1"),
            ("tcp://localhost:1", "tcp://*:2"),
        ] {
            assert!(!Peer::of(connect).leads_to(&Peer::of(bind)), "{connect} {bind}");
        }
    }

    #[test]
    fn nobody_connects_to_a_wildcard() {
        for text in
            ["tcp://*:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://localhost:*", "tcp://localhost:0", "ipc://*"]
        {
            assert!(Peer::of(text).is_wildcard(), "{text}");
        }
        for text in ["tcp://localhost:1", "tcp://[fe80::1]:1", "ipc://x"] {
            assert!(!Peer::of(text).is_wildcard(), "{text}");
        }
    }
}
