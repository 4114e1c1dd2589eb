//! What the user wants of a running subscriber.

/// A command, which travels as one word.
#[derive(Clone, Copy)]
pub(super) enum Command {
    Reopen,
    Stop,
}

impl Command {
    pub(super) fn word(self) -> &'static [u8] {
        match self {
            Self::Reopen => b"reopen",
            Self::Stop => b"stop",
        }
    }

    pub(super) fn from_word(word: &[u8]) -> Option<Self> {
        [Self::Reopen, Self::Stop].into_iter().find(|command| command.word() == word)
    }
}
