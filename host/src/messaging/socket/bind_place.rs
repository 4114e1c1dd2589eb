//! Where a socket binds, looked up and checked on any thread, so that the thread that owns the socket waits for no name.

use super::host_name::{self, HostName, is_ipv6};
use super::ipc::IpcAccess;
use super::{attach, cause, ipc};
use crate::config::BACKLOG;

/// An endpoint to bind to, with the addresses of its host name.
pub(crate) struct BindPlace {
    endpoint: String,
    host: Option<HostName>,
}

impl BindPlace {
    /// Resolves the host name of an endpoint, which can take seconds, and looks at what is at its path.
    ///
    /// # Errors
    /// When the path is too long, or that of something that must not be replaced; says why, as a fragment.
    pub(crate) fn look_up(endpoint: &str) -> Result<Self, String> {
        ipc::check_length(endpoint)?;
        ipc::refuse_foreign_file(endpoint)?;
        Ok(Self { endpoint: endpoint.to_owned(), host: HostName::look_up(endpoint) })
    }

    /// Binds a socket there. Returns the real endpoint, in which a wildcard port is a number.
    ///
    /// # Errors
    /// When the socket cannot be bound there; says why, as a fragment.
    pub(crate) fn bind(&self, socket: &zmq::Socket) -> Result<String, String> {
        socket.set_backlog(BACKLOG as i32).map_err(cause)?;
        self.bind_by_name(socket)?;
        match socket.get_last_endpoint() {
            Ok(Ok(real)) => Ok(real),
            Ok(Err(_)) => Ok(self.endpoint.clone()),
            Err(error) => Err(cause(error)),
        }
    }

    /// As [`Self::bind`]; an endpoint in the file system is made such that no others may connect than `access` says.
    ///
    /// # Errors
    /// Those of [`Self::bind`]; and when the system does not give the file that group or mode.
    pub(crate) fn bind_guarded(&self, socket: &zmq::Socket, access: IpcAccess) -> Result<String, String> {
        ipc::bind_guarded(&self.endpoint, access, || self.bind(socket))
    }

    /// Binds to the first address of a host name that belongs to this machine. Anything else goes to libzmq as it is:
    /// an address, or the name of an interface.
    fn bind_by_name(&self, socket: &zmq::Socket) -> Result<(), String> {
        let bind = |endpoint: &str, ipv6| attach(socket, endpoint, ipv6, zmq::Socket::bind);
        let endpoint = self.endpoint.as_str();
        let Some(host) = &self.host else { return bind(endpoint, is_ipv6(endpoint)) };
        let mut failed = None;
        for address in host.addresses().unwrap_or_default() {
            match bind(&host_name::at(endpoint, *address), address.is_ipv6()) {
                Ok(()) => return Ok(()),
                Err(why) => {
                    let why_here = format!("its address {address}: {why}");
                    // If the address is in use, another one is no substitute: clients would not look there.
                    if why != cause(zmq::Error::EADDRNOTAVAIL) {
                        return Err(why_here);
                    }
                    failed = failed.or(Some(why_here));
                }
            }
        }
        // An interface may have only IPv6 addresses.
        if bind(endpoint, false).is_ok() || bind(endpoint, true).is_ok() {
            return Ok(());
        }
        Err(host.addresses().err().or(failed).unwrap_or_default())
    }
}
