//! How many replies a request gets, and after which waits.

/// At most this many replies.
const REPLIES_MAX: u16 = 4;
/// Each wait is a second divided by 1 to this.
const DIVISOR_MAX: u16 = 10;
/// The number of equally likely draws: a count of replies, and a divisor for as many as there may be.
const DRAWS: u16 = (REPLIES_MAX + 1) * DIVISOR_MAX.pow(REPLIES_MAX as u32);

/// The bytes to draw from. A two-byte number is a draw with a probability of 76 %; that none of these 32 is one happens
/// once in 10^20 requests.
pub const RANDOM_BYTES: u64 = 64;

/// The waits in milliseconds, one per reply, or none if `random` holds no draw and another lot is needed.
///
/// Numbers from [`DRAWS`] on are passed over, since taking them modulo would favour some draws.
pub fn delays_ms(random: &[u8]) -> Option<Vec<u32>> {
    let numbers = random.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes));
    let draw = numbers.into_iter().find(|number| *number < DRAWS)?;

    let count = draw % (REPLIES_MAX + 1);
    let mut digits = draw / (REPLIES_MAX + 1);
    let mut next_delay_ms = || {
        let divisor = digits % DIVISOR_MAX + 1;
        digits /= DIVISOR_MAX;
        1000 / u32::from(divisor)
    };
    Some((0..count).map(|_| next_delay_ms()).collect())
}

#[cfg(test)]
mod tests {
    use super::{DRAWS, delays_ms};
    use std::collections::BTreeMap;

    #[test]
    fn every_count_and_every_sequence_of_waits_is_equally_likely() {
        let mut seen = BTreeMap::<Vec<u32>, u32>::new();
        for delays_ms in (0..=u16::MAX).filter_map(|number| delays_ms(&number.to_le_bytes())) {
            *seen.entry(delays_ms).or_default() += 1;
        }
        for replies in 0..=4 {
            let weights: Vec<u32> =
                seen.iter().filter(|(delays, _)| delays.len() == replies).map(|(_, n)| *n).collect();
            let sequences = 10_usize.pow(replies as u32);
            assert_eq!(weights, vec![10_000 / sequences as u32; sequences], "{replies} replies");
        }
        assert_eq!(seen.values().sum::<u32>(), u32::from(DRAWS));
    }

    #[test]
    fn a_wait_is_a_second_divided_by_1_to_10_rounded_down() {
        let expected = [1000, 500, 333, 250, 200, 166, 142, 125, 111, 100];
        for (digit, delay_ms) in (0..10_u16).zip(expected) {
            // Of the lowest digit, base 5, comes the count of one reply; the next, base 10, is its wait.
            assert_eq!(delays_ms(&(1 + 5 * digit).to_le_bytes()), Some(vec![delay_ms]));
        }
    }

    #[test]
    fn numbers_that_are_no_draw_are_passed_over() {
        let [low, high] = DRAWS.to_le_bytes();
        assert_eq!(delays_ms(&[255, 255, low, high]), None);
        assert_eq!(delays_ms(&[255, 255, low, high, 0, 0, 1, 0]), Some(vec![]));
        assert_eq!(delays_ms(&[]), None);
    }
}
