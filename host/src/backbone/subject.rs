//! The subject of one message: the template of its sink, filled in.

use crate::config::{SubjectPart, SubjectTemplate};
use crate::flow::Message;
use crate::ledger::Reason;
use std::fmt::Write;

/// Of a subject that is filled in.
const SUBJECT_BYTES_MAX: usize = 1 << 10;

/// The subject that a message goes to. Bytes that no subject has are written as `%XX`, as `%` itself is.
///
/// # Errors
/// When the message has no topic, or no such pair of metadata, or nothing in it, or too much.
pub(super) fn fill(template: &SubjectTemplate, message: &Message) -> Result<String, Reason> {
    let mut subject = String::new();
    for part in template.parts() {
        match part {
            SubjectPart::Text(text) => subject.push_str(text),
            SubjectPart::Topic => {
                let topic = if message.frames.len() > 1 { &message.frames[0][..] } else { b"" };
                push(&mut subject, topic)?;
            }
            SubjectPart::Metadata(key) => {
                let pair = message.metadata.iter().find(|(of, _)| of == key);
                push(&mut subject, pair.map_or("", |(_, value)| value).as_bytes())?;
            }
        }
    }
    // The server ends the connection of whoever sends a longer line.
    if subject.len() > SUBJECT_BYTES_MAX { Err(Reason::NoSubject) } else { Ok(subject) }
}

fn push(subject: &mut String, value: &[u8]) -> Result<(), Reason> {
    if value.is_empty() {
        return Err(Reason::NoSubject);
    }
    for (index, byte) in value.iter().enumerate() {
        // Nothing may stand between two dots, nor before the first or behind the last.
        let is_bare_dot = *byte == b'.' && (index == 0 || value[index - 1] == b'.' || index + 1 == value.len());
        match byte {
            b'%' | b'*' | b'>' => escape(subject, *byte),
            b'!'..=b'~' if !is_bare_dot => subject.push(char::from(*byte)),
            _ => escape(subject, *byte),
        }
    }
    Ok(())
}

fn escape(subject: &mut String, byte: u8) {
    // Writing to a text does not fail.
    let _ = write!(subject, "%{byte:02X}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use smallvec::smallvec;

    fn filled(template: &str, topic: &[u8]) -> Result<String, Reason> {
        let message = Message {
            metadata: vec![("k".to_owned(), "v".to_owned()), ("none".to_owned(), String::new())],
            frames: smallvec![topic.to_vec().into(), "body".into()],
            ..Message::default()
        };
        fill(&template.parse().unwrap(), &message)
    }

    #[test]
    fn what_is_missing_is_no_subject() {
        assert_eq!(filled("a.{topic}.{k}", b"t.u"), Ok("a.t.u.v".to_owned()));
        for (template, topic) in [("a.{topic}", &b""[..]), ("a.{other}", b"t"), ("a.{none}", b"t")] {
            assert_eq!(filled(template, topic), Err(Reason::NoSubject), "{template}");
        }
        assert_eq!(filled("a.{topic}", &[b'x'; 1022]).map(|subject| subject.len()), Ok(1024));
        assert_eq!(filled("a.{topic}", &[b'x'; 1023]), Err(Reason::NoSubject));
        let single = Message::of_topic("", Vec::new(), "body");
        assert_eq!(fill(&"a.{topic}".parse().unwrap(), &single), Err(Reason::NoSubject));
    }

    #[test]
    fn odd_bytes_are_escaped() {
        for (topic, subject) in [
            (&b"a b"[..], "x.a%20b"),
            (b"a.*.>", "x.a.%2A.%3E"),
            (b".a..b.", "x.%2Ea.%2Eb%2E"),
            (b"50%", "x.50%25"),
            (b"\xff\0", "x.%FF%00"),
            (b"/camera/front", "x./camera/front"),
        ] {
            assert_eq!(filled("x.{topic}", topic).as_deref(), Ok(subject));
        }
    }

    proptest! {
        #[test]
        fn whatever_the_topic_it_is_a_subject_of_its_own(one in vec(any::<u8>(), 1..9), other in vec(any::<u8>(), 1..9)) {
            let subject = filled("x.{topic}.y", &one).unwrap();
            prop_assert!(subject.split('.').all(|token| !token.is_empty()), "{}", subject);
            prop_assert!(subject.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte)), "{}", subject);
            prop_assert_eq!(one == other, subject == filled("x.{topic}.y", &other).unwrap());
        }
    }
}
