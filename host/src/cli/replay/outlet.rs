//! Where a replay's messages go: what a way of sending has to do, and how it is done by ZeroMQ.

use super::tally::Tally;
use crate::clients::sender::{Sender, SenderKind, SenderSettings, Sent};
use crate::record::replay::{Incoming, Skip};
use crate::system::interrupt::Interrupt;
use std::time::Duration;

/// A way of sending. What goes wrong with one message is counted; an error is that of all.
pub(super) trait Outlet {
    /// What it waits for before the first message, and when there is no room.
    fn receiver(&self) -> String;

    /// Whether somebody is there.
    ///
    /// # Errors
    /// Why nothing more can be sent.
    fn is_ready(&mut self) -> Result<bool, String>;

    /// Why a message cannot be sent this way; none if it can.
    fn refuses(&self, _message: &Incoming) -> Option<Skip> {
        None
    }

    /// Sends a message if there is room, and says whether there was. Does not wait.
    ///
    /// # Errors
    /// Why nothing more can be sent.
    fn offer(&mut self, message: &Incoming, tally: &mut Tally) -> Result<bool, String>;

    /// Waits until all has arrived, as far as that can be seen: so long at most, and until an interrupt.
    ///
    /// # Errors
    /// Why not all has.
    fn end(self: Box<Self>, wait: Duration, interrupt: &Interrupt, tally: &mut Tally) -> Result<(), String>;
}

/// How often an end is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// A PUB or PUSH socket.
pub(super) struct ByZeroMq {
    sender: Sender,
    kind: SenderKind,
}

impl ByZeroMq {
    /// # Errors
    /// When the socket cannot bind or connect.
    pub(super) fn open(settings: &SenderSettings) -> Result<Self, String> {
        Ok(Self { sender: Sender::open(settings)?, kind: settings.kind })
    }
}

impl Outlet for ByZeroMq {
    fn receiver(&self) -> String {
        match self.kind {
            SenderKind::Publish => format!("a subscriber at {}", self.sender.endpoint()),
            SenderKind::Push => format!("a receiver at {}", self.sender.endpoint()),
        }
    }

    fn is_ready(&mut self) -> Result<bool, String> {
        self.sender.is_ready()
    }

    fn offer(&mut self, message: &Incoming, tally: &mut Tally) -> Result<bool, String> {
        match self.sender.send(&message.frames)? {
            Sent::NoRoom => return Ok(false),
            Sent::Unheard => tally.unheard += 1,
            Sent::Taken => tally.sent += 1,
        }
        Ok(true)
    }

    fn end(self: Box<Self>, wait: Duration, interrupt: &Interrupt, _tally: &mut Tally) -> Result<(), String> {
        let receiver = self.receiver();
        let closing = std::thread::spawn(move || self.sender.close(wait));
        while !closing.is_finished() {
            if interrupt.comes_within(LOOK) {
                return Err(format!("interrupted before all that was sent has reached {receiver}"));
            }
        }
        match closing.join() {
            Ok(true) => Ok(()),
            _ => Err(format!("within {wait:?} not all that was sent has reached {receiver}")),
        }
    }
}
