//! The identity of a peer, as people read it.

/// As it is where that is plain text, else `0x` and its bytes in hexadecimal.
pub(crate) fn identity_text(identity: &[u8]) -> String {
    let is_plain = !identity.is_empty() && !identity.starts_with(b"0x") && identity.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(identity) {
        Ok(text) if is_plain => text.to_owned(),
        _ => identity.iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
    }
}
