//! Messages that are numbered, so that whoever receives them knows which ones are missing.

/// The size of each message.
pub const MESSAGE_BYTES: usize = 64;
/// How many digits a number has.
const DIGITS: usize = 10;

/// Writes the number as ten digits at the front of the message, which is cheaper than formatting.
pub fn write_number(message: &mut [u8; MESSAGE_BYTES], mut number: u64) {
    for digit in message[..DIGITS].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
