//! What every command for captured traffic has in common: the flags that choose among it, and how it is printed.

mod bucket_uses;
mod choice_flags;
pub(super) mod shown;

pub(super) use choice_flags::ChoiceFlags;
