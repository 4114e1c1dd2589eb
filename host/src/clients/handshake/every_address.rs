//! A client's connections to all addresses of a name: those that it gets and loses while the client runs.

use super::Handshakes;
use super::failure::HandshakeFailure;
use crate::messaging::socket;
use crate::messaging::socket::addresses::{Change, Taken};
use crate::system::output::note;
use std::time::{Duration, Instant};

/// How often it is looked whether a name that is being looked up has been.
const ANSWER_LOOK: Duration = Duration::from_millis(50);

impl Handshakes {
    /// Adds an endpoint that stands for all addresses of a name, to which the socket is connected from now on.
    ///
    /// # Errors
    /// When libzmq refuses an option; says why.
    pub(super) fn add_name(&mut self, socket: &zmq::Socket, endpoint: &str) -> Result<(), String> {
        // What came from an address can be read only so when that is let go of.
        socket.set_immediate(true).map_err(socket::cause)?;
        self.addresses.add(endpoint, Instant::now());
        self.maintain_addresses(socket);
        Ok(())
    }

    /// Messages have come.
    pub(crate) fn heard(&mut self) {
        if self.addresses.listens() {
            self.addresses.heard_any();
        }
    }

    /// How long to wait at most for what a name stands for.
    pub(super) fn wait_for_answer(&self) -> Option<Duration> {
        self.addresses.is_asking().then_some(ANSWER_LOOK)
    }

    /// Connects to the addresses that names have got, and lets go of those that they have lost.
    pub(super) fn maintain_addresses(&mut self, socket: &zmq::Socket) {
        if self.addresses.is_empty() {
            return;
        }
        for change in self.addresses.maintain(true, Instant::now()) {
            match change {
                Change::Connect(endpoint) => {
                    if self.reported.has_come(&endpoint) {
                        note(format_args!("connecting to {endpoint}, an address that its name has"));
                    }
                    if let Err(cause) = socket::connect(socket, &endpoint) {
                        note(format_args!("connecting to {endpoint}: {cause}"));
                    }
                    self.endpoints.push(endpoint);
                }
                Change::Disconnect(endpoint) => {
                    // It fails if libzmq has given the connection up.
                    let _ = socket.disconnect(&endpoint);
                    if self.reported.has_left(&endpoint) {
                        note(format_args!("left {endpoint}, an address that its name has no more"));
                    }
                    self.endpoints.retain(|known| *known != endpoint);
                    self.closed.remove(&endpoint);
                    self.reconnect.remove(&endpoint);
                }
                Change::LookedUp { endpoint, taken, failure: Some(failure) } => {
                    self.tell_failure(&endpoint, taken, &failure);
                }
                Change::LookedUp { endpoint, taken, failure: None } => self.tell_success(&endpoint, taken),
            }
        }
    }

    fn tell_failure(&self, endpoint: &str, taken: Taken, failure: &str) {
        if self.reported.is_new(endpoint, HandshakeFailure::Unanswered) {
            let rest = if taken.addresses == 0 { "still trying" } else { "its last addresses stay in use" };
            note(format_args!("connecting to {endpoint}: {failure}; {rest}"));
        }
    }

    fn tell_success(&mut self, endpoint: &str, Taken { addresses, left_out }: Taken) {
        if self.reported.forget(endpoint) {
            note(format_args!("the name in {endpoint} is known again"));
        }
        if left_out > 0 && self.crowded.insert(endpoint.to_owned()) {
            note(format_args!(
                "{endpoint} has more addresses than the {addresses} that are connected to: {left_out} are left out"
            ));
        }
    }
}
