//! The subject that messages are sent to, with what is filled in for each in braces: `orders.{topic}`.

use std::fmt;
use std::str::FromStr;

/// NATS takes longer ones; who has one has a mistake.
const SUBJECT_BYTES_MAX: usize = 255;

/// A subject with gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate(Vec<SubjectPart>);

/// A part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectPart {
    /// It stands there in every subject.
    Text(String),
    /// The first of several frames.
    Topic,
    /// The value of the pair of metadata with this key.
    Metadata(String),
}

impl SubjectTemplate {
    /// Its parts, in order.
    pub fn parts(&self) -> &[SubjectPart] {
        &self.0
    }
}

impl FromStr for SubjectTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mistake = |what: &str| format!("`{text}` is no subject: {what}");
        if text.len() > SUBJECT_BYTES_MAX {
            return Err(mistake(&format!("it has more than {SUBJECT_BYTES_MAX} bytes")));
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let unclosed = || mistake("a `{` has no `}`: write `{topic}`, or the key of a pair of metadata");
            let (key, behind) = behind.split_once('}').ok_or_else(unclosed)?;
            if key.is_empty() || key.contains('{') {
                return Err(mistake(
                    "there is no key in its braces: write `{topic}`, or the key of a pair of metadata",
                ));
            }
            parts.extend((!before.is_empty()).then(|| SubjectPart::Text(before.to_owned())));
            parts.push(if key == "topic" { SubjectPart::Topic } else { SubjectPart::Metadata(key.to_owned()) });
            rest = behind;
        }
        if rest.contains('}') {
            return Err(mistake("a `}` has no `{`"));
        }
        parts.extend((!rest.is_empty()).then(|| SubjectPart::Text(rest.to_owned())));
        // With something in each gap it has to be a subject.
        let filled: String =
            parts.iter().map(|part| if let SubjectPart::Text(text) = part { text } else { "x" }).collect();
        let is_token = |token: &str| !token.is_empty() && !token.contains(['*', '>', ' ', '\t', '\r', '\n', '\0']);
        if !filled.split('.').all(is_token) {
            return Err(mistake(
                "between its dots is nothing, a blank, or a wildcard: write one such as `orders.{topic}`",
            ));
        }
        // What comes with a message must not choose what it is sent to: the servers themselves listen below `$`.
        let is_fixed = match parts.first() {
            Some(SubjectPart::Text(text)) => !text.starts_with(['$', '_']) && (parts.len() == 1 || text.contains('.')),
            _ => false,
        };
        if !is_fixed {
            return Err(mistake("its part before the first dot has to stand there, and not begin with `$` or `_`"));
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for SubjectTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            SubjectPart::Text(text) => f.write_str(text),
            SubjectPart::Topic => f.write_str("{topic}"),
            SubjectPart::Metadata(key) => write!(f, "{{{key}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_braces_is_filled_in() {
        for text in ["orders", "orders.{topic}", "a.{x.y}-{topic}.b", "a.{a}{b}"] {
            let template: SubjectTemplate = text.parse().unwrap();
            assert_eq!(template.to_string(), text);
        }
        let parts = "a.{k}.{topic}".parse::<SubjectTemplate>().unwrap();
        let text = |text: &str| SubjectPart::Text(text.to_owned());
        assert_eq!(parts.parts(), [text("a."), SubjectPart::Metadata("k".to_owned()), text("."), SubjectPart::Topic]);
    }

    #[test]
    fn what_can_be_no_subject_is_refused() {
        let long = "x".repeat(256);
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "a b",
            "a.*",
            "a.>",
            "{",
            "{}",
            "a}",
            "{{x}}",
            "a.{topic",
            "{topic}",
            "a{topic}.b",
            "$JS.{topic}",
            "$KV.a",
            "_INBOX.a",
            &long,
        ] {
            assert!(text.parse::<SubjectTemplate>().is_err(), "{text}");
        }
    }
}
