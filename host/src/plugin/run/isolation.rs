//! Isolation: what an instance is when a call begins in it, and how that is passed on with compiled code.

use super::plugin_state::shortened;
use std::fmt;
use std::sync::Arc;

/// The export of a component whose instances are reset that hashes their memories and globals; of the type `func() ->
/// u64`.
pub(crate) const STATE: &str = "tidegate-state";

/// What is kept of a reason: it may quote the component.
const REASON_BYTES_MAX: usize = 500;
/// The length of a reason, behind it.
const LENGTH_BYTES: usize = 4;

/// What the instances of a component are when a call begins in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// In the state of a new one: it was reset after the call that it served before.
    Reset,
    /// New; and why not reset.
    Fresh(Arc<str>),
    /// As the calls before have left it; it serves up to this many.
    Reused(u32),
}

impl Isolation {
    /// Of new instances.
    pub(crate) fn fresh(reason: impl fmt::Display) -> Self {
        // A name of the component's own must neither forge lines nor move a terminal's cursor.
        let plain = |letter: char| if matches!(letter, ' '..='~') { letter } else { '?' };
        let reason: String = reason.to_string().chars().map(plain).collect();
        Self::Fresh(shortened(&reason, REASON_BYTES_MAX).into())
    }

    /// Appends itself to compiled code, whose reader ignores what follows it.
    pub(crate) fn append_to(&self, code: &mut Vec<u8>) {
        let reason = match self {
            Self::Fresh(reason) => reason.as_bytes(),
            Self::Reset | Self::Reused(_) => &[],
        };
        code.extend_from_slice(reason);
        code.extend_from_slice(&(reason.len() as u32).to_le_bytes());
    }

    /// What [`Isolation::append_to`] has added; `bytes` may be no more than the end.
    pub(crate) fn at_end_of(bytes: &[u8]) -> Option<Self> {
        let (rest, length) = bytes.split_last_chunk::<LENGTH_BYTES>()?;
        let reason = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
        let reason = std::str::from_utf8(&rest[reason..]).ok()?;
        Some(if reason.is_empty() { Self::Reset } else { Self::Fresh(reason.into()) })
    }

    /// The most bytes that [`Isolation::append_to`] adds.
    pub(crate) const END_BYTES_MAX: usize = REASON_BYTES_MAX + LENGTH_BYTES;

    /// One word, for what counts by it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Fresh(_) => "fresh",
            Self::Reused(_) => "reused",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str("reset in place"),
            Self::Fresh(reason) => write!(f, "fresh ({reason})"),
            Self::Reused(calls) => write!(f, "reused for up to {calls} calls"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_to_code_is_found_at_its_end() {
        for isolation in
            [Isolation::Reset, Isolation::fresh("x\ny"), Isolation::fresh("x".repeat(REASON_BYTES_MAX + 1))]
        {
            let mut code = vec![7; 2_000];
            isolation.append_to(&mut code);
            assert_eq!(Isolation::at_end_of(&code), Some(isolation.clone()));
            assert_eq!(Isolation::at_end_of(&code[code.len() - Isolation::END_BYTES_MAX..]), Some(isolation));
        }
        assert_eq!(Isolation::at_end_of(&[1, 2, 3]), None);
        assert_eq!(Isolation::at_end_of(&[0, 9, 0, 0, 0]), None);
    }
}
