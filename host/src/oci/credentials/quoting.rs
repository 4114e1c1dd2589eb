//! What others say of secrets, without these: registries and token servers that were shown them, and who reads files with them.

use super::{Credentials, Login};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::error::Category;
use std::cmp::Reverse;

/// The longest text of others that is passed on.
const TEXT_BYTES_MAX: usize = 300;

/// Stands for a secret.
const HIDDEN: &str = "…";

impl Login {
    /// The registry is shown this, maybe in place of the credentials.
    pub(in crate::oci) fn shows(&mut self, auth: &RegistryAuth) {
        if let RegistryAuth::Bearer(token) = auth {
            self.given = Some(token.clone());
        }
    }

    /// A server's text as it may be logged: on one line, of bounded length, and without the secret of this login, since a server
    /// may say back what it was shown.
    pub(in crate::oci) fn quote(&self, text: &str) -> String {
        let mut forms: Vec<_> = self.secrets().iter().flat_map(|secret| forms(secret)).collect();
        // A form may be a part of another.
        forms.sort_by_key(|form| Reverse(form.len()));
        let hidden = forms.iter().filter(|form| !form.is_empty());
        one_line(&hidden.fold(text.to_owned(), |text, form| text.replace(form.as_str(), HIDDEN)))
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = match &self.credentials {
            Credentials::Identity(token) | Credentials::Shown(RegistryAuth::Bearer(token)) => vec![token.clone()],
            Credentials::Shown(RegistryAuth::Basic(user, password)) => {
                vec![password.clone(), STANDARD.encode(format!("{user}:{password}"))]
            }
            Credentials::Shown(RegistryAuth::Anonymous) => Vec::new(),
        };
        secrets.extend(self.given.clone());
        secrets
    }
}

/// A secret as it is, in a form, in base64 and within JSON.
fn forms(secret: &str) -> [String; 4] {
    let json = serde_json::Value::from(secret).to_string();
    let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    let form = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    [secret.to_owned(), form, STANDARD.encode(secret), json.to_owned()]
}

/// A text on one line, cut at [`TEXT_BYTES_MAX`].
pub(in crate::oci) fn one_line(text: &str) -> String {
    let line: String = text.trim().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let end = line.floor_char_boundary(TEXT_BYTES_MAX);
    if end < line.len() { format!("{}…", &line[..end]) } else { line }
}

/// What is wrong with JSON that holds secrets, of which nothing is said.
pub(super) fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Data => {
            format!("what is at line {} column {} is none of what belongs there", error.line(), error.column())
        }
        Category::Io | Category::Syntax | Category::Eof => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_said_back_is_not_quoted_in_any_form() {
        let login = |credentials| Login { credentials, ..Login::default() };
        let mut token = login(Credentials::Identity("a\"b+c".to_owned()));
        assert_eq!(token.quote("x a\"b+c,\na%22b%2Bc YSJiK2M= {\"t\":\"a\\\"b+c\"}"), "x …, … … {\"t\":\"…\"}");
        let basic = login(Credentials::Shown(RegistryAuth::Basic("me".to_owned(), "pass".to_owned())));
        assert_eq!(basic.quote("me:pass, Basic bWU6cGFzcw=="), "me:…, Basic …");
        let empty = login(Credentials::Shown(RegistryAuth::Basic(String::new(), String::new())));
        assert_eq!((empty.quote("text"), Login::default().quote("text")), ("text".to_owned(), "text".to_owned()));
        // A cut leaves no part of it.
        let long = format!("{}a\"b+c", "x".repeat(298));
        assert_eq!(token.quote(&long), format!("{}…", "x".repeat(298)));
        // Nor of the access token that is given for it.
        token.shows(&RegistryAuth::Bearer("access".to_owned()));
        assert_eq!(token.quote("a\"b+c access"), "… …");
    }
}
