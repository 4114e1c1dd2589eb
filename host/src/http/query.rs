//! The query of a request, decoded as browsers and Flask write it, but without guessing at what is broken.

use percent_encoding::percent_decode;
use std::borrow::Cow;

/// Names and values; what is written as it reads is not copied.
pub(crate) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The pairs of a query in order. `+` is a space, the rest is percent-encoded UTF-8; a name without `=` has an empty
/// value, and empty pieces between two `&` are no pairs.
///
/// # Errors
/// Says which piece is broken, for the caller to read.
pub(crate) fn pairs(query: &str) -> Result<Pairs<'_>, String> {
    query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

fn decoded(text: &str) -> Result<Cow<'_, str>, String> {
    let mut rest = text;
    // The decoder takes a broken sequence for plain text; a `%` that two hexadecimal digits do not follow is a mistake.
    while let Some((_, after)) = rest.split_once('%') {
        let digits = after.as_bytes().get(..2);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(format!(
                "`{text}` in the query has a % without two hexadecimal digits; write %25 for a percent sign"
            ));
        }
        rest = after;
    }
    if !text.contains(['+', '%']) {
        return Ok(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len() + 1);
    for word in text.split('+') {
        bytes.extend(percent_decode(word.as_bytes()));
        bytes.push(b' ');
    }
    bytes.pop();
    match String::from_utf8(bytes) {
        Ok(decoded) => Ok(decoded.into()),
        Err(_) => Err(format!("`{text}` in the query is not UTF-8; send other bytes as the body of a POST")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let read = pairs("param=He+L%4Co&&a=1&a=2&flag&%C3%A9=%2B&=x&b=c=d").unwrap();
        let expected = [("param", "He LLo"), ("a", "1"), ("a", "2"), ("flag", ""), ("é", "+"), ("", "x"), ("b", "c=d")];
        assert_eq!(read, expected.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(pairs("").unwrap(), []);
    }

    #[test]
    fn what_is_broken_is_named() {
        for broken in ["a=%", "a=%4", "a=%zz", "%G0=1", "a=%+1", "a=%é"] {
            assert!(pairs(broken).unwrap_err().contains("hexadecimal"), "{broken}");
        }
        assert!(pairs("a=%FF").unwrap_err().contains("not UTF-8"));
    }
}
