//! The name of a role that a plugin can be called in.

use std::fmt;

/// A role's name in the contract. The roles themselves are in `roles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(transparent)]
pub struct RoleName(pub(super) &'static str);

impl RoleName {
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
