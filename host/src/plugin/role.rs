//! The name of a role that a plugin can be called in, and the version of the contract that it is of.

use std::fmt;

/// A role's name in the contract. The roles themselves are in `roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct RoleName(pub(super) &'static str);

impl RoleName {
    /// Messages, however they come in.
    pub const PROCESSOR: Self = Self("processor");
    /// What version 0.1.0 of the contract calls [`Self::PROCESSOR`].
    pub const TRANSFORM: Self = Self("transform");
    /// Requests that come in at the broker.
    pub const REPLY_POLICY: Self = Self("reply-policy");

    /// As the contract, the configuration and the admin surface write it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A version of the contract that the host speaks, in the order in which they were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contract {
    /// Messages have a topic and a body.
    V0_1_0,
    /// Messages have frames.
    V0_2_0,
}

impl Contract {
    /// All that there are, the oldest first.
    pub const ALL: [Self; 2] = [Self::V0_1_0, Self::V0_2_0];

    /// As the name of the package has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
        }
    }
}
