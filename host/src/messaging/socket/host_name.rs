//! The name of a host in an endpoint, with the addresses that it resolves to.
//!
//! libzmq connects to the first address of one family alone, and binds to addresses and interfaces but not to host
//! names.

use std::net::{AddrParseError, IpAddr, ToSocketAddrs};

/// A host name, and the result of resolving it.
#[derive(Clone, Debug)]
pub(crate) struct HostName {
    name: String,
    /// Its addresses, IPv4 first as in the default endpoints; or why it was not resolved.
    found: Result<Vec<IpAddr>, String>,
}

impl HostName {
    /// Resolves the host name in an endpoint, which can take seconds. None if the endpoint has an address, a wildcard
    /// or a path instead.
    pub(crate) fn look_up(endpoint: &str) -> Option<Self> {
        name_in(endpoint).map(Self::find)
    }

    /// Resolves the name of a host, which can take seconds.
    pub(crate) fn find(name: &str) -> Self {
        let found = (name, 0).to_socket_addrs().map_err(|error| error.to_string()).map(|found| {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found.map(|address| address.ip()) {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            addresses.sort_by_key(IpAddr::is_ipv6);
            addresses
        });
        Self { name: name.to_owned(), found }
    }

    /// The address in an endpoint, which needs no resolving.
    pub(crate) fn of_address(endpoint: &str) -> Self {
        let place = endpoint.strip_prefix("tcp://").unwrap_or(endpoint);
        let name = place.rsplit_once(':').map_or(place, |(host, _)| host);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse();
        let found = address.map(|address| vec![address]).map_err(|error: AddrParseError| error.to_string());
        Self { name: name.to_owned(), found }
    }

    /// The host name in an endpoint, which was not resolved.
    pub(crate) fn unresolved(endpoint: &str, why: String) -> Self {
        Self::unknown(name_in(endpoint).unwrap_or_default(), why)
    }

    /// A host name, which was not resolved.
    pub(crate) fn unknown(name: &str, why: String) -> Self {
        Self { name: name.to_owned(), found: Err(why) }
    }

    /// Its addresses.
    ///
    /// # Errors
    /// When the name was not resolved, or to no address; names it.
    pub(crate) fn addresses(&self) -> Result<&[IpAddr], String> {
        match &self.found {
            Ok(addresses) if !addresses.is_empty() => Ok(addresses),
            Ok(_) => Err(format!("the name {} stands for no address", self.name)),
            Err(error) => Err(format!("the name {} is not known: {error}", self.name)),
        }
    }

    /// Whether all its addresses are of IPv6.
    pub(crate) fn is_ipv6_alone(&self) -> bool {
        self.addresses().is_ok_and(|addresses| addresses.iter().all(IpAddr::is_ipv6))
    }

    /// Whether it may have addresses of both families. A name that was not resolved may have any later.
    pub(crate) fn may_have_both(&self) -> bool {
        let has =
            |ipv6: bool| self.addresses().map_or(true, |found| found.iter().any(|address| address.is_ipv6() == ipv6));
        has(false) && has(true)
    }

    /// The error text for a connection to it that failed.
    pub(crate) fn failure(&self) -> String {
        self.addresses().map_or_else(
            |unknown| unknown,
            |addresses| {
                let list: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                format!("nothing answers at {}, which stands for {}", self.name, list.join(" and "))
            },
        )
    }
}

/// The host name in an endpoint; none if it has an address, a wildcard or a path instead.
pub(crate) fn name_in(endpoint: &str) -> Option<&str> {
    let (place, _) = endpoint.strip_prefix("tcp://")?.rsplit_once(':')?;
    // What is before a semicolon is the local address to connect from.
    let name = place.rsplit(';').next().unwrap_or(place);
    let is_name = name != "*" && !name.starts_with('[') && name.parse::<IpAddr>().is_err();
    is_name.then_some(name)
}

/// Whether a socket needs IPv6 switched on for an endpoint: for an IPv6 address, and for the wildcard, which stands for
/// the addresses of both families.
pub(crate) fn is_ipv6(endpoint: &str) -> bool {
    let place = endpoint.strip_prefix("tcp://").unwrap_or_default();
    place.contains('[') || place.starts_with("*:")
}

/// The endpoint with an address in the place of its host.
pub(crate) fn at(endpoint: &str, address: IpAddr) -> String {
    let port = endpoint.rsplit_once(':').map_or("", |(_, port)| port);
    match address {
        IpAddr::V4(address) => format!("tcp://{address}:{port}"),
        IpAddr::V6(address) => format!("tcp://[{address}]:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(found: Result<Vec<IpAddr>, String>) -> HostName {
        HostName { name: "feed".to_owned(), found }
    }

    #[test]
    fn an_address_is_no_name() {
        for endpoint in ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://*:1", "tcp://0.0.0.0:*", "ipc:///localhost:1"] {
            assert!(HostName::look_up(endpoint).is_none(), "{endpoint}");
        }
        for endpoint in ["tcp://localhost:1", "tcp://localhost:*", "tcp://127.0.0.1:0;localhost:1"] {
            let host = HostName::look_up(endpoint).expect(endpoint);
            assert!(host.addresses().expect("this machine").iter().all(IpAddr::is_loopback), "{host:?}");
        }
    }

    #[test]
    fn both_families_are_told_apart() {
        let [v4, v6]: [IpAddr; 2] = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().expect("an address"));
        let both = named(Ok(vec![v4, v6]));
        assert!(both.may_have_both() && !both.is_ipv6_alone());
        assert_eq!(both.failure(), "nothing answers at feed, which stands for 192.0.2.1 and 2001:db8::1");
        let one = named(Ok(vec![v6]));
        assert!(!one.may_have_both() && one.is_ipv6_alone());
        assert!(!named(Ok(vec![v4])).may_have_both() && !named(Ok(vec![v4])).is_ipv6_alone());
        let unknown = named(Err("no such name".to_owned()));
        assert!(unknown.may_have_both() && !unknown.is_ipv6_alone());
        assert_eq!(unknown.failure(), "the name feed is not known: no such name");
    }

    #[test]
    fn an_address_takes_the_place_of_the_name() {
        let [v4, v6]: [IpAddr; 2] = ["127.0.0.1", "::1"].map(|text| text.parse().expect("an address"));
        assert_eq!(at("tcp://localhost:*", v4), "tcp://127.0.0.1:*");
        assert_eq!(at("tcp://localhost:5", v6), "tcp://[::1]:5");
        assert!(
            is_ipv6("tcp://[::1]:5") && is_ipv6("tcp://*:*") && !is_ipv6("tcp://0.0.0.0:5") && !is_ipv6("ipc:///[x")
        );
    }
}
