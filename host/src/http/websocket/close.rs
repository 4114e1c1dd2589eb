//! Why a WebSocket ends, and what its client is told of that.

use std::borrow::Cow;

/// What a close frame may say beside its code, in bytes (RFC 6455).
const REASON_BYTES_MAX: usize = 123;

/// What a close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Close {
    /// One of those in RFC 6455 and the registry that it founds.
    pub(crate) code: u16,
    /// For whoever reads the client's log.
    pub(crate) reason: Cow<'static, str>,
}

/// Why a WebSocket ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its client closed it, or the connection broke.
    ByClient,
    /// Its client answers no pings any more.
    Silent,
    /// Its client does not read what it is sent.
    Unread,
    /// The host closes it.
    ByHost(Close),
}

impl Close {
    /// The code of [`Self::going_away`].
    pub(crate) const GOING_AWAY: u16 = 1001;

    /// The host, or what the WebSocket led to, ends. Clients come again.
    pub(crate) fn going_away(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(Self::GOING_AWAY, reason)
    }

    /// The client does not keep to what is spoken.
    pub(crate) fn protocol(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(1002, reason)
    }

    /// The client sent text where bytes are spoken, or the other way round.
    pub(crate) fn wrong_data(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(1003, reason)
    }

    /// The client sent a text that is not UTF-8.
    pub(crate) fn no_text() -> Self {
        Self::of(1007, "a text message is not UTF-8")
    }

    /// The client wants what it may not have.
    pub(crate) fn policy(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(1008, reason)
    }

    /// The client sent more at once than it may.
    pub(crate) fn too_large(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(1009, reason)
    }

    /// There is no room now.
    pub(crate) fn try_again(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of(1013, reason)
    }

    fn of(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > REASON_BYTES_MAX {
            let end = reason.floor_char_boundary(REASON_BYTES_MAX);
            reason.to_mut().truncate(end);
        }
        Self { code, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_where_a_close_frame_ends() {
        let Close { code, reason } = Close::protocol("é".repeat(100));
        assert_eq!((code, reason), (1002, "é".repeat(61).into()));
        assert_eq!(Close::policy("short").reason, "short");
    }
}
