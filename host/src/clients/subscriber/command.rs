//! The commands to a running subscriber.

/// A command, which travels as one word.
#[derive(Clone, Copy)]
pub(crate) enum SubscriberCommand {
    Reopen,
    Stop,
}

impl SubscriberCommand {
    pub(crate) fn word(self) -> &'static [u8] {
        match self {
            Self::Reopen => b"reopen",
            Self::Stop => b"stop",
        }
    }

    pub(crate) fn from_word(word: &[u8]) -> Option<Self> {
        [Self::Reopen, Self::Stop].into_iter().find(|command| command.word() == word)
    }
}
