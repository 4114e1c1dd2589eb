//! What the plugin says to a text.

const BEFORE: &[u8] = b"lower case of ";
const BETWEEN: &[u8] = b" is ";
/// How much is looked at as one: some vectors of any processor, for which a look at the deadline costs little.
const STEP_BYTES: usize = 128;
/// Of each byte the one that no ASCII character has.
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The answer to `body`, by Unicode's full lowercase mapping; an error says why `body` is no text.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, String> {
    if is_ascii(body) {
        return Ok(joined(body, ascii_lowercase(body)));
    }
    let text =
        str::from_utf8(body).map_err(|error| format!("body is not UTF-8 from byte {} on", error.valid_up_to()))?;
    Ok(joined(body, text.to_lowercase().bytes()))
}

/// Each byte is written once: one buffer of the exact size is also what the host copies out.
fn joined(text: &[u8], lower: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut answer = Vec::with_capacity(BEFORE.len() + text.len() + BETWEEN.len() + lower.size_hint().0);
    answer.extend_from_slice(BEFORE);
    answer.extend_from_slice(text);
    answer.extend_from_slice(BETWEEN);
    answer.extend(lower);
    answer
}

/// In steps: a loop over single bytes becomes one over single vectors, each with its look at the deadline.
fn ascii_lowercase(text: &[u8]) -> impl Iterator<Item = u8> {
    let (steps, rest) = text.as_chunks::<STEP_BYTES>();
    let steps = steps.iter().flat_map(|step| step.map(|byte| byte.to_ascii_lowercase()));
    steps.chain(rest.iter().map(u8::to_ascii_lowercase))
}

/// As the standard library's, which on wasm32 takes four bytes at a time. By words: on wasm32 a fold over the bytes of a
/// step becomes a load for each of them, not vectors.
fn is_ascii(bytes: &[u8]) -> bool {
    let (steps, rest) = bytes.as_chunks::<STEP_BYTES>();
    steps.iter().all(|step| {
        let (words, _) = step.as_chunks();
        words.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word)) & HIGH_BITS == 0
    }) && rest.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::STEP_BYTES;

    fn answer(body: &[u8]) -> Result<String, String> {
        super::answer(body).map(|answer| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn letters_change_and_the_rest_stays() {
        assert_eq!(answer(b"Hello, World 42!\n").unwrap(), "lower case of Hello, World 42!\n is hello, world 42!\n");
    }

    #[test]
    fn the_mapping_is_the_full_one_of_unicode() {
        assert_eq!(answer("ÄÖÜ".as_bytes()).unwrap(), "lower case of ÄÖÜ is äöü");
        assert_eq!(answer("ΟΔΥΣΣΕΥΣ".as_bytes()).unwrap(), "lower case of ΟΔΥΣΣΕΥΣ is οδυσσευς", "final sigma");
        assert_eq!(answer("İ".as_bytes()).unwrap(), "lower case of İ is i\u{307}", "one character becomes two");
    }

    #[test]
    fn an_empty_text_is_answered() {
        assert_eq!(answer(b"").unwrap(), "lower case of  is ");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_place() {
        assert_eq!(answer(b"ab\xff"), Err("body is not UTF-8 from byte 2 on".to_owned()));
        assert_eq!(answer(b"\xe2\x82"), Err("body is not UTF-8 from byte 0 on".to_owned()));
    }

    #[test]
    fn a_letter_that_is_not_ascii_is_found_wherever_it_stands() {
        for at in 0..3 * STEP_BYTES {
            let text = format!("{}É{}", "Ab".repeat(at / 2) + &"C"[..at % 2], "De".repeat(STEP_BYTES));
            let expected = format!("lower case of {text} is {}", text.to_lowercase());
            assert_eq!(answer(text.as_bytes()).unwrap(), expected, "{at} bytes before it");
            assert_eq!(answer(&text.as_bytes()[..at + 1]), Err(format!("body is not UTF-8 from byte {at} on")));
        }
    }
}
