//! A path into JSON: the part of JSONPath that names one place, or the same place in each element of an array.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Write};
use std::str::FromStr;

/// What a path is made of, for whoever wrote another one.
const FORMS: &str = "a path is $ with any number of .name, ['name'], [3] and [*] behind it";

/// A path such as `$.items[*].price`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    EachElement,
}

/// A step on the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// Of an object.
    Key(&'a str),
    /// Of an array.
    Index(usize),
    /// Of an array whose order does not count, so that its elements have no numbers.
    Element,
}

/// Why a text is no path that is understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("JSON path `{path}`: {cause}; {FORMS}")]
pub struct JsonPathError {
    path: String,
    cause: String,
}

impl JsonPath {
    /// Whether it names the value that these steps lead to.
    pub(crate) fn matches(&self, way: &[Segment<'_>]) -> bool {
        self.0.len() == way.len()
            && self.0.iter().zip(way).all(|(step, segment)| match (step, segment) {
                (Step::Key(key), Segment::Key(name)) => key == name,
                (Step::Index(index), Segment::Index(at)) => index == at,
                (Step::EachElement, Segment::Index(_) | Segment::Element) => true,
                _ => false,
            })
    }
}

impl TryFrom<String> for JsonPath {
    type Error = JsonPathError;

    fn try_from(text: String) -> Result<Self, JsonPathError> {
        text.parse()
    }
}

impl From<JsonPath> for String {
    fn from(path: JsonPath) -> Self {
        path.to_string()
    }
}

impl FromStr for JsonPath {
    type Err = JsonPathError;

    fn from_str(text: &str) -> Result<Self, JsonPathError> {
        steps(text).map(Self).map_err(|cause| JsonPathError { path: text.to_owned(), cause })
    }
}

fn steps(text: &str) -> Result<Vec<Step>, String> {
    let mut rest = text.strip_prefix('$').ok_or("it does not begin with $")?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = match (rest.strip_prefix('.'), rest.strip_prefix('[')) {
            (Some(name), _) => named(name)?,
            (_, Some(inside)) => bracketed(inside)?,
            _ => return Err(format!("`{rest}` is no step")),
        };
        steps.push(step);
        rest = behind;
    }
    Ok(steps)
}

/// The step behind a dot, and what follows it.
fn named(text: &str) -> Result<(Step, &str), String> {
    if text.starts_with('.') {
        return Err("`..` is not supported: name each step".to_owned());
    }
    if text.starts_with('*') {
        return Err("`.*` is not supported: name the members, or say [*] for the elements of an array".to_owned());
    }
    let end = text.find(|letter: char| !is_plain(letter)).unwrap_or(text.len());
    match text.split_at(end) {
        ("", _) => Err("a name is missing behind a dot; quote others as ['a name']".to_owned()),
        (name, rest) => Ok((Step::Key(name.to_owned()), rest)),
    }
}

/// The step behind an opening bracket, and what follows the closing one.
fn bracketed(text: &str) -> Result<(Step, &str), String> {
    if let Some(quote) = text.chars().next().filter(|letter| ['\'', '"'].contains(letter)) {
        let (name, rest) = quoted(&text[1..], quote)?;
        let rest = rest.strip_prefix(']').ok_or("a ] is missing behind a quoted name")?;
        return Ok((Step::Key(name), rest));
    }
    let (inside, rest) = text.split_once(']').ok_or("a [ has no ]")?;
    if inside == "*" {
        return Ok((Step::EachElement, rest));
    }
    match inside.parse() {
        Ok(index) if inside.bytes().all(|byte| byte.is_ascii_digit()) => Ok((Step::Index(index), rest)),
        _ => Err(format!("`[{inside}]` is not supported: no slices, filters, lists or numbers from the end")),
    }
}

/// A name up to its closing quote, and what follows that.
fn quoted(text: &str, quote: char) -> Result<(String, &str), String> {
    let (mut name, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some((_, escaped)) if escaped == quote || escaped == '\\' => name.push(escaped),
                _ => return Err(format!("in a quoted name only \\{quote} and \\\\ are escaped")),
            },
            letter if letter == quote => return Ok((name, &text[at + letter.len_utf8()..])),
            letter => name.push(letter),
        }
    }
    Err("a quoted name does not end".to_owned())
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}

impl Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('$')?;
        self.0.iter().try_for_each(|step| match step {
            Step::Key(key) => write_key(f, key),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::EachElement => f.write_str("[*]"),
        })
    }
}

/// The path of a group: the place of these steps in each element of every array on the way.
pub(crate) fn collapsed(way: &[Segment<'_>]) -> String {
    let mut text = "$".to_owned();
    for segment in way {
        let _ = match segment {
            Segment::Key(key) => write_key(&mut text, key),
            Segment::Index(_) | Segment::Element => text.write_str("[*]"),
        };
    }
    text
}

fn write_key(text: &mut impl Write, key: &str) -> fmt::Result {
    if !key.is_empty() && key.chars().all(is_plain) {
        return write!(text, ".{key}");
    }
    write!(text, "['{}']", key.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_names_one_place_or_that_of_each_element() {
        use Segment::{Element, Index, Key};
        let path = |text: &str| text.parse::<JsonPath>().unwrap();
        let way = [Key("items"), Index(3), Key("a b")];
        for (text, matches) in [
            ("$.items[*]['a b']", true),
            ("$['items'][3][\"a b\"]", true),
            ("$.items[2]['a b']", false),
            ("$.items[*]", false),
            ("$.items[*]['a b'].c", false),
            ("$", false),
        ] {
            assert_eq!(path(text).matches(&way), matches, "{text}");
        }
        assert!(path("$").matches(&[]));
        assert!(path("$[*]").matches(&[Element]));
        assert!(!path("$[0]").matches(&[Element]), "it has no number");
        assert!(!path("$.0").matches(&[Index(0)]));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, words) in [
            ("", "does not begin with $"),
            ("items", "does not begin with $"),
            ("$items", "`items` is no step"),
            ("$..ts", "`..` is not supported"),
            ("$.*", "`.*` is not supported"),
            ("$.", "a name is missing"),
            ("$.a b", "` b` is no step"),
            ("$[1:2]", "`[1:2]` is not supported"),
            ("$[-1]", "`[-1]` is not supported"),
            ("$[+1]", "`[+1]` is not supported"),
            ("$[?(@.a)]", "is not supported"),
            ("$[]", "`[]` is not supported"),
            ("$[99999999999999999999999]", "is not supported"),
            ("$[0", "a [ has no ]"),
            ("$['a", "does not end"),
            ("$['a'", "a ] is missing"),
            ("$['\\n']", "only \\' and \\\\ are escaped"),
        ] {
            let error = text.parse::<JsonPath>().unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(FORMS), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(keys in proptest::collection::vec(".*", 0..4), index: usize) {
            let mut steps = vec![Step::EachElement, Step::Index(index)];
            steps.extend(keys.into_iter().map(Step::Key));
            let path = JsonPath(steps);
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn no_text_panics(text in "[$.\\[\\]'\"\\\\*0-9a-zé]*") {
            let _ = text.parse::<JsonPath>();
        }
    }
}
