//! Components whose returned value is wrong: it points outside the memory, or is much larger than the guest.

use super::{BUMP, NONE, around, module};
use crate::fixtures::{TRANSFORM, component, reply_policy, transform};
use std::fmt::Write;
use wit_component::StringEncoding;

/// Data segments: the text at address 1024, and words at the given addresses. The returned value is at address 16.
fn segments(text: &str, words: &[(u32, &[u32])]) -> String {
    let mut segments = format!(r#"(data (i32.const 1024) "{text}")"#);
    for (address, words) in words {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()).fold(String::new(), |mut text, byte| {
            write!(text, "\\{byte:02x}").unwrap();
            text
        });
        write!(segments, r#" (data (i32.const {address}) "{bytes}")"#).unwrap();
    }
    segments
}

/// A transform that returns what its data segments say.
///
/// The words of a message are 0 (ok), 1 (some), then address and length of topic, metadata and body; the words of an
/// error are 1, its case, then address and length of its text. The memory ends at [`END`].
pub fn returning(text: &str, words: &[(u32, &[u32])]) -> Vec<u8> {
    transform(&segments(text, words), NONE)
}

/// As [`returning`], for a reply policy. The words are 0 (ok), address and number of replies; a reply is its delay,
/// address and number of its frames; a frame is address and length.
pub fn policy_returning(text: &str, words: &[(u32, &[u32])]) -> Vec<u8> {
    reply_policy(&segments(text, words), NONE)
}

/// The end of the memory of [`returning`].
pub const END: u32 = 32 << 16;

/// As [`returning`], with a memory of `pages`, which is zero except for the words.
pub fn returning_much(pages: u32, words: &[(u32, &[u32])]) -> Vec<u8> {
    let fields = format!("{} {TRANSFORM} {NONE})", segments("", words));
    component("transform-plugin", pages, 4096, &fields)
}

/// Returns `replies` replies of `frames` frames, each of which is the same `bytes` of a memory of 2 MiB.
pub fn aliasing_policy(replies: usize, frames: u32, bytes: u32) -> Vec<u8> {
    let reply = [0, 65_536, frames];
    let replies_at = 65_536 + frames * 8;
    let list: Vec<u32> = reply.iter().copied().cycle().take(replies * 3).collect();
    let frame: Vec<u32> = [0, bytes].into_iter().cycle().take(frames as usize * 2).collect();
    policy_returning("", &[(16, &[0, replies_at, replies as u32]), (65_536, &frame), (replies_at, &list)])
}

/// As [`returning`], with strings in UTF-16.
pub fn returning_utf16(text: &str, words: &[(u32, &[u32])]) -> Vec<u8> {
    let role = format!("{TRANSFORM} {NONE})");
    around("transform", StringEncoding::UTF16, &module(&segments(text, words), BUMP, &role))
}
