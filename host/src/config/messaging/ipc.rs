//! Who may connect to a socket in the file system: its mode and its group.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The mode of a file, `0700` say. Whoever may write to a socket may connect to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "ModeText", into = "String")]
pub struct IpcMode(pub u32);

/// As it may stand in the file: `"0700"`, or TOML's own octal `0o700`.
#[derive(Deserialize)]
#[serde(untagged)]
enum ModeText {
    Text(String),
    Number(i64),
}

impl IpcMode {
    const MAX: u32 = 0o777;

    fn checked(mode: Option<u32>, text: &str) -> Result<Self, String> {
        match mode {
            Some(mode) if mode <= Self::MAX => Ok(Self(mode)),
            _ => Err(format!("`{text}` is no mode of a file: write three octal digits, such as \"0700\" or \"0770\"")),
        }
    }
}

impl FromStr for IpcMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let octal = digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        Self::checked(u32::from_str_radix(digits, 8).ok().filter(|_| octal && digits.len() >= 3), text)
    }
}

impl TryFrom<ModeText> for IpcMode {
    type Error = String;

    fn try_from(text: ModeText) -> Result<Self, String> {
        match text {
            ModeText::Text(text) => text.parse(),
            ModeText::Number(number) => Self::checked(u32::try_from(number).ok(), &number.to_string()),
        }
    }
}

impl fmt::Display for IpcMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl From<IpcMode> for String {
    fn from(mode: IpcMode) -> Self {
        mode.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Settings {
        mode: IpcMode,
    }

    #[test]
    fn a_mode_is_octal_however_it_is_written() {
        for (text, mode) in [("'0770'", 0o770), ("'660'", 0o660), ("'0o600'", 0o600), ("0o700", 0o700)] {
            let settings: Settings = toml::from_str(&format!("mode = {text}")).expect(text);
            assert_eq!(settings.mode.0, mode);
            assert_eq!(settings.mode.to_string().parse(), Ok(settings.mode));
        }
        for text in ["700", "'0800'", "'1777'", "'rwx'", "''", "'7'", "-1", "'+700'"] {
            let error = toml::from_str::<Settings>(&format!("mode = {text}")).expect_err(text).to_string();
            assert!(error.contains("three octal digits"), "{error}");
        }
    }
}
