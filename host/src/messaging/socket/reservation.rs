//! The port of a socket that is opened later: taken early, so that a start which cannot have it fails before it has done
//! any work, and not listened on, so that nobody connects to what may never be served.

use super::host_name::HostName;
use super::{cause, ipc, raw_cause};
use std::io::{Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::net::TcpSocket;

/// A port that is taken for as long as this lives.
#[derive(Debug)]
pub struct Reservation {
    _socket: Option<TcpSocket>,
}

impl Reservation {
    /// Takes the port of an endpoint. What has none of its own, a path or any free port, is looked at as far as that is
    /// possible without making it.
    ///
    /// # Errors
    /// When the endpoint cannot be bound; says why, as a fragment.
    pub(crate) fn of(endpoint: &str) -> Result<Self, String> {
        ipc::check_length(endpoint)?;
        ipc::refuse_foreign_file(endpoint)?;
        let socket = address_of(endpoint).map(bound).transpose().map_err(|error| told(&error))?;
        Ok(Self { _socket: socket })
    }
}

/// Whether nobody listens at an endpoint any more: libzmq closes a socket in its own time.
pub(crate) fn is_left(endpoint: &str) -> bool {
    let is_taken = |error: Error| error.kind() == ErrorKind::AddrInUse;
    ipc::refuse_foreign_file(endpoint).is_ok()
        && !address_of(endpoint).map(bound).is_some_and(|bound| bound.is_err_and(is_taken))
}

/// Where libzmq will bind; none where that is known only then.
fn address_of(endpoint: &str) -> Option<SocketAddr> {
    let (host, port) = endpoint.strip_prefix("tcp://")?.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let address = match HostName::look_up(endpoint) {
        // It may be the name of an interface, which libzmq knows.
        Some(name) => *name.addresses().ok()?.first()?,
        None if host == "*" => Ipv4Addr::UNSPECIFIED.into(),
        None => host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?,
    };
    Some((address, port).into())
}

fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As libzmq does: connections of a host that has just ended do not count.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn told(error: &Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => cause(zmq::Error::EADDRINUSE),
        ErrorKind::AddrNotAvailable => cause(zmq::Error::EADDRNOTAVAIL),
        ErrorKind::PermissionDenied => cause(zmq::Error::EACCES),
        _ => error.raw_os_error().map_or_else(|| error.to_string(), raw_cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messaging::socket::bind;
    use std::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn a_port_is_taken_without_a_listener_and_let_go_of() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoint = format!("tcp://{address}");
        let reservation = Reservation::of(&endpoint).expect("a free port");
        TcpStream::connect(address).expect_err("nobody listens");
        drop(reservation);
        let router = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        assert_eq!(bind(&router, &endpoint).as_deref(), Ok(&*endpoint));
        assert_eq!(Reservation::of(&endpoint).expect_err("it is bound"), "address in use");
        assert!(!is_left(&endpoint) && is_left("tcp://127.0.0.1:*") && is_left("ipc:///nowhere/x"));
    }

    #[tokio::test]
    async fn what_has_no_port_yet_takes_none() {
        for endpoint in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://no-such-interface:5570", "ipc:///nowhere/x"] {
            assert!(Reservation::of(endpoint).expect(endpoint)._socket.is_none());
        }
        assert_eq!(address_of("tcp://*:5570"), Some(([0, 0, 0, 0], 5570).into()));
        assert_eq!(address_of("tcp://[::1]:5570"), Some("[::1]:5570".parse().unwrap()));
        assert_eq!(Reservation::of("tcp://192.0.2.1:5570").expect_err("elsewhere"), "not an address of this machine");
    }
}
