//! What the plugin says to a text.

/// The answer to `body`, by Unicode's full uppercase mapping; an error says why `body` is no text. As plain as it can be:
/// what vectors bring for large texts is in `downcase`.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, String> {
    let text =
        str::from_utf8(body).map_err(|error| format!("body is not UTF-8 from byte {} on", error.valid_up_to()))?;
    Ok(["upper case of ", text, " is ", &text.to_uppercase()].concat().into_bytes())
}

#[cfg(test)]
mod tests {
    fn answer(body: &[u8]) -> Result<String, String> {
        super::answer(body).map(|answer| String::from_utf8(answer).unwrap())
    }

    #[test]
    fn letters_change_and_the_rest_stays() {
        assert_eq!(answer(b"Hello, World 42!\n").unwrap(), "upper case of Hello, World 42!\n is HELLO, WORLD 42!\n");
    }

    #[test]
    fn the_mapping_is_the_full_one_of_unicode() {
        assert_eq!(answer("äöü".as_bytes()).unwrap(), "upper case of äöü is ÄÖÜ");
        assert_eq!(
            answer("Straße".as_bytes()).unwrap(),
            "upper case of Straße is STRASSE",
            "one character becomes two"
        );
        assert_eq!(answer("\u{390}".as_bytes()).unwrap(), "upper case of \u{390} is \u{399}\u{308}\u{301}", "or three");
    }

    #[test]
    fn an_empty_text_is_answered() {
        assert_eq!(answer(b"").unwrap(), "upper case of  is ");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused_with_their_place() {
        assert_eq!(answer(b"ab\xff"), Err("body is not UTF-8 from byte 2 on".to_owned()));
        assert_eq!(answer(b"\xe2\x82"), Err("body is not UTF-8 from byte 0 on".to_owned()));
    }
}
