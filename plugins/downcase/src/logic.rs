//! What the plugin says to a text.

/// The answer to `body`, by Unicode's full lowercase mapping; an error says why `body` is no text.
pub fn answer(body: &[u8]) -> Result<String, String> {
    let text =
        str::from_utf8(body).map_err(|error| format!("body is not UTF-8 from byte {} on", error.valid_up_to()))?;
    // One allocation of the exact size, where `format!` would grow its buffer step by step.
    Ok(["lower case of ", text, " is ", &text.to_lowercase()].concat())
}

#[cfg(test)]
mod tests {
    use super::answer;

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
}
