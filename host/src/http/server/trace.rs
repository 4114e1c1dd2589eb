//! The trace that a caller says its request belongs to, as W3C Trace Context has it.

use warp::http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Of `VERSION-TRACE-PARENT-FLAGS`.
const VERSION_0_BYTES: usize = 55;
/// A later version may append fields; this much of them is passed on.
const BYTES_MAX: usize = 256;

/// A `traceparent` that is sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trace(String);

impl Trace {
    /// The one of a request; none if there is none, several, or one that is broken.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().filter(|text| is_sound(text)).map(|text| Self(text.to_owned())),
            _ => None,
        }
    }

    /// As it was sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The 32 digits that name the trace.
    pub(super) fn id(&self) -> &str {
        &self.0[3..35]
    }
}

fn is_sound(text: &str) -> bool {
    let mut fields = text.splitn(5, '-');
    let mut field = |digits: usize| {
        let field = fields.next()?;
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (field.len() == digits && field.bytes().all(hexadecimal)).then_some(field)
    };
    let (Some(version), Some(trace), Some(parent), Some(_flags)) = (field(2), field(32), field(16), field(2)) else {
        return false;
    };
    let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    let length_fits = match version {
        "00" => text.len() == VERSION_0_BYTES,
        "ff" => false,
        _ => text.len() <= BYTES_MAX,
    };
    length_fits && !is_zero(trace) && !is_zero(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(values: &[&str]) -> Option<Trace> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        Trace::of(&headers)
    }

    #[test]
    fn a_sound_one_is_taken_over() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let found = trace(&[text]).unwrap();
        assert_eq!((found.as_str(), found.id()), (text, "4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(trace(&["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).is_some());
        assert!(trace(&["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"]).is_some());
    }

    #[test]
    fn a_broken_one_is_ignored() {
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for broken in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        ] {
            assert_eq!(trace(&[broken]), None, "{broken}");
        }
        assert_eq!(trace(&[]), None);
        assert_eq!(trace(&[sound, sound]), None);
    }
}
