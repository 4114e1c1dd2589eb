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

/// The number in a message that may say something else before it, as the answers of `downcase` do; none if it has none.
pub fn read_number(message: &[u8]) -> Option<u64> {
    let from = message.iter().position(u8::is_ascii_digit)?;
    str::from_utf8(message.get(from..from + DIGITS)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_wherever_it_stands() {
        let mut message = [b'A'; MESSAGE_BYTES];
        write_number(&mut message, 1_234_567_890);
        assert_eq!(read_number(&message), Some(1_234_567_890));
        write_number(&mut message, 42);
        assert_eq!(read_number(&[b"lower case of ", &message[..]].concat()), Some(42));
        assert_eq!(read_number(b"no number"), None);
        assert_eq!(read_number(b"12"), None);
    }
}
