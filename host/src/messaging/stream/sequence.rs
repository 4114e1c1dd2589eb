//! The numbers that publishers give their messages, without I/O: gaps in them, for each connection.

use crate::flow::Frames;
use crate::messaging::socket::monitor::Descriptor;
use std::collections::HashMap;

/// The last number of each connection.
pub(super) struct Sequence {
    /// The index of the frame that holds the number.
    frame: usize,
    last: HashMap<Descriptor, u64>,
}

/// What a message's number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    /// It is the first of its connection, or the next one; or a publisher that restarted counts anew.
    InOrder,
    /// So many messages before it did not come.
    After { missing: u64 },
    /// There is no such frame, or it has not eight bytes.
    Unreadable,
}

impl Sequence {
    /// For numbers in the frame with this index: eight bytes, big-endian.
    pub(super) fn new(frame: usize) -> Self {
        Self { frame, last: HashMap::new() }
    }

    /// Takes in the number of a message that came by this connection.
    pub(super) fn take_in(&mut self, from: Descriptor, frames: &Frames) -> Numbered {
        let number = frames.get(self.frame).and_then(|frame| <[u8; 8]>::try_from(&frame[..]).ok());
        let Some(number) = number.map(u64::from_be_bytes) else { return Numbered::Unreadable };
        match self.last.insert(from, number) {
            Some(last) if number > last && number - last > 1 => Numbered::After { missing: number - last - 1 },
            _ => Numbered::InOrder,
        }
    }

    /// A connection has ended: the next one with its descriptor begins anew.
    pub(super) fn gone(&mut self, connection: Descriptor) {
        self.last.remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use smallvec::smallvec;

    fn frames(number: u64) -> Frames {
        smallvec![Bytes::from_static(b"topic"), Bytes::copy_from_slice(&number.to_be_bytes())]
    }

    #[test]
    fn gaps_are_counted_for_each_connection() {
        let mut sequence = Sequence::new(1);
        let mut numbered = |from, number| sequence.take_in(from, &frames(number));
        assert_eq!(numbered(7, 1_000), Numbered::InOrder, "whoever joins late has missed nothing");
        assert_eq!(numbered(7, 1_001), Numbered::InOrder);
        assert_eq!(numbered(8, 5), Numbered::InOrder);
        assert_eq!(numbered(7, 1_005), Numbered::After { missing: 3 });
        assert_eq!(numbered(8, 6), Numbered::InOrder);
        assert_eq!(numbered(7, 1_006), Numbered::InOrder);
    }

    #[test]
    fn a_number_that_goes_back_is_a_restart() {
        let mut sequence = Sequence::new(1);
        for number in [u64::MAX - 1, u64::MAX, 0, 1, 1, 2] {
            assert_eq!(sequence.take_in(7, &frames(number)), Numbered::InOrder, "{number}");
        }
        assert_eq!(sequence.take_in(7, &frames(u64::MAX)), Numbered::After { missing: u64::MAX - 3 });
    }

    #[test]
    fn a_new_connection_begins_anew_and_what_is_no_number_ends_nothing() {
        let mut sequence = Sequence::new(1);
        assert_eq!(sequence.take_in(7, &frames(1)), Numbered::InOrder);
        sequence.gone(7);
        assert_eq!(sequence.take_in(7, &frames(9)), Numbered::InOrder);
        for frames in [smallvec![], smallvec![Bytes::new(); 1], smallvec![Bytes::from_static(b"1234567"); 2]] {
            assert_eq!(sequence.take_in(7, &frames), Numbered::Unreadable);
        }
        assert_eq!(sequence.take_in(7, &frames(11)), Numbered::After { missing: 1 });
    }
}
