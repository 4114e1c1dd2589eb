//! Tnetstrings (tnetstrings.org): a length, a colon, so many bytes, and a letter that says what they are.
//!
//! What is inside a map or a list is read when somebody looks for it: no input makes the reader go deep, or read any byte
//! more often than there are levels that the caller looks into.

/// No length has more digits, whatever a message may have.
const DIGITS_MAX: usize = 10;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any bytes.
    Text,
    Int,
    Float,
    Bool,
    Null,
    /// Keys, which are strings, each with its value behind it.
    Map,
    List,
}

const LETTERS: [(Kind, u8); 7] = [
    (Kind::Text, b','),
    (Kind::Int, b'#'),
    (Kind::Float, b'^'),
    (Kind::Bool, b'!'),
    (Kind::Null, b'~'),
    (Kind::Map, b'}'),
    (Kind::List, b']'),
];

/// A value whose bytes were not looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) kind: Kind,
    pub(super) data: &'a [u8],
}

/// Why bytes are no tnetstring, for the operator to read.
pub(super) type Malformed = &'static str;

const NO_LENGTH: Malformed = "a length is missing";
const CUT_OFF: Malformed = "a value is shorter than its length";
const NO_KIND: Malformed = "a type is unknown";
const REST: Malformed = "bytes follow";
const KEY: Malformed = "a key is no string";
const NO_VALUE: Malformed = "a key has no value";

/// Reads bytes that are one value, and nothing else.
///
/// # Errors
/// When they are not.
pub(super) fn read(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let (value, rest) = split(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(REST) }
}

/// Writes a value, of which the data is what [`Value::data`] is.
pub(super) fn write(to: &mut Vec<u8>, kind: Kind, data: &[u8]) {
    to.extend_from_slice(data.len().to_string().as_bytes());
    to.push(b':');
    to.extend_from_slice(data);
    to.extend(LETTERS.iter().filter(|(other, _)| *other == kind).map(|(_, letter)| letter));
}

/// Takes the value off that bytes begin with.
fn split(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), Malformed> {
    let colon = bytes.iter().take(DIGITS_MAX + 1).position(|byte| *byte == b':').ok_or(NO_LENGTH)?;
    let (digits, rest) = (&bytes[..colon], &bytes[colon + 1..]);
    let is_number = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || !digits.starts_with(b"0"));
    let length = std::str::from_utf8(digits).ok().filter(|_| is_number).and_then(|digits| digits.parse().ok());
    let (data, rest) = rest.split_at_checked(length.ok_or(NO_LENGTH)?).ok_or(CUT_OFF)?;
    let (&letter, rest) = rest.split_first().ok_or(CUT_OFF)?;
    let kind = LETTERS.iter().find(|(_, other)| *other == letter).ok_or(NO_KIND)?.0;
    Ok((Value { kind, data }, rest))
}

impl<'a> Value<'a> {
    fn of(self, kind: Kind) -> Option<&'a [u8]> {
        (self.kind == kind).then_some(self.data)
    }

    /// Its bytes, if it is a string.
    pub(super) fn text(self) -> Option<&'a [u8]> {
        self.of(Kind::Text)
    }

    /// Its number, if it is an integer.
    pub(super) fn int(self) -> Option<i64> {
        std::str::from_utf8(self.of(Kind::Int)?).ok()?.parse().ok()
    }

    /// What it says, if it is a boolean.
    pub(super) fn bool(self) -> Option<bool> {
        match self.of(Kind::Bool)? {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// What is in it, if it is a list.
    pub(super) fn items(self) -> Option<impl Iterator<Item = Result<Value<'a>, Malformed>>> {
        Some(items(self.of(Kind::List)?))
    }

    /// Its keys with their values, if it is a map.
    pub(super) fn pairs(self) -> Option<impl Iterator<Item = Result<(&'a [u8], Value<'a>), Malformed>>> {
        let mut items = items(self.of(Kind::Map)?);
        Some(std::iter::from_fn(move || {
            let key = items.next()?.and_then(|key| key.text().ok_or(KEY));
            Some(key.and_then(|key| Ok((key, items.next().ok_or(NO_VALUE)??))))
        }))
    }
}

/// The values in a list or a map; after one that is malformed none comes.
fn items(mut rest: &[u8]) -> impl Iterator<Item = Result<Value<'_>, Malformed>> {
    std::iter::from_fn(move || {
        let split = (!rest.is_empty()).then(|| split(rest))?;
        rest = split.map_or(&[], |(_, rest)| rest);
        Some(split.map(|(value, _)| value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A value with all that is in it.
    #[derive(Clone, Debug, PartialEq)]
    enum Tree {
        Text(Vec<u8>),
        Int(i64),
        Float(f64),
        Bool(bool),
        Null,
        Map(Vec<(Vec<u8>, Tree)>),
        List(Vec<Tree>),
    }

    impl Tree {
        fn write(&self, to: &mut Vec<u8>) {
            let mut inner = Vec::new();
            match self {
                Self::Text(text) => write(to, Kind::Text, text),
                Self::Int(number) => write(to, Kind::Int, number.to_string().as_bytes()),
                Self::Float(number) => write(to, Kind::Float, number.to_string().as_bytes()),
                Self::Bool(is) => write(to, Kind::Bool, is.to_string().as_bytes()),
                Self::Null => write(to, Kind::Null, b""),
                Self::Map(pairs) => {
                    for (key, value) in pairs {
                        write(&mut inner, Kind::Text, key);
                        value.write(&mut inner);
                    }
                    write(to, Kind::Map, &inner);
                }
                Self::List(items) => {
                    items.iter().for_each(|item| item.write(&mut inner));
                    write(to, Kind::List, &inner);
                }
            }
        }

        fn read(value: Value<'_>) -> Result<Self, Malformed> {
            Ok(match value.kind {
                Kind::Text => Self::Text(value.text().unwrap().to_vec()),
                Kind::Int => Self::Int(value.int().unwrap()),
                Kind::Float => Self::Float(std::str::from_utf8(value.data).unwrap().parse().unwrap()),
                Kind::Bool => Self::Bool(value.bool().unwrap()),
                Kind::Null => Self::Null,
                Kind::Map => {
                    let pair = |pair: Result<_, _>| {
                        let (key, value): (&[u8], _) = pair?;
                        Ok::<_, Malformed>((key.to_vec(), Self::read(value)?))
                    };
                    Self::Map(value.pairs().unwrap().map(pair).collect::<Result<_, _>>()?)
                }
                Kind::List => {
                    Self::List(value.items().unwrap().map(|item| Self::read(item?)).collect::<Result<_, _>>()?)
                }
            })
        }
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            vec(any::<u8>(), 0..20).prop_map(Tree::Text),
            any::<i64>().prop_map(Tree::Int),
            any::<i32>().prop_map(|number| Tree::Float(f64::from(number) / 8.0)),
            any::<bool>().prop_map(Tree::Bool),
            Just(Tree::Null),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                vec((vec(any::<u8>(), 0..5), inner.clone()), 0..8).prop_map(Tree::Map),
                vec(inner, 0..8).prop_map(Tree::List),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_reads_the_same(tree in tree()) {
            let mut written = Vec::new();
            tree.write(&mut written);
            prop_assert_eq!(Tree::read(read(&written).unwrap()), Ok(tree));
            // Cut off anywhere, or with more behind it, it is none.
            for length in 0..written.len() {
                prop_assert!(read(&written[..length]).is_err());
            }
            written.push(b'0');
            prop_assert_eq!(read(&written), Err(REST));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in "[0-3:,#!}\\]x]{0,40}") {
            if let Ok(value) = read(bytes.as_bytes()) {
                let mut written = Vec::new();
                write(&mut written, value.kind, value.data);
                prop_assert_eq!(written, bytes.as_bytes());
            }
        }
    }

    #[test]
    fn lengths_are_exact() {
        for (bytes, error) in [
            ("", NO_LENGTH),
            (":,", NO_LENGTH),
            ("00:,", NO_LENGTH),
            ("01:a,", NO_LENGTH),
            ("+1:a,", NO_LENGTH),
            ("-1:a,", NO_LENGTH),
            (" 1:a,", NO_LENGTH),
            ("1", NO_LENGTH),
            ("12345678901:a,", NO_LENGTH),
            ("1:", CUT_OFF),
            ("1:a", CUT_OFF),
            ("2:a,", CUT_OFF),
            ("9999999999:a,", CUT_OFF),
            ("1:ab", NO_KIND),
            ("0:,,", REST),
        ] {
            assert_eq!(read(bytes.as_bytes()), Err(error), "{bytes}");
        }
    }

    #[test]
    fn a_map_has_a_value_for_each_key() {
        let pairs = |text: &'static str| read(text.as_bytes()).unwrap().pairs().unwrap().last().unwrap();
        assert_eq!(pairs("8:1:a,1:1#}"), Ok((&b"a"[..], Value { kind: Kind::Int, data: b"1" })));
        assert_eq!(pairs("4:1:a,}"), Err(NO_VALUE));
        assert_eq!(pairs("8:1:1#1:1#}"), Err(KEY));
        assert_eq!(pairs("7:1:a,1:b}"), Err(CUT_OFF));
        assert_eq!(read(b"0:]").unwrap().pairs().map(Iterator::count), None);
    }

    #[test]
    fn values_are_of_their_type() {
        let value = |text: &'static str| read(text.as_bytes()).unwrap();
        assert_eq!(
            (value("2:-7#").int(), value("2:-7,").int(), value("1:x#").int(), value("0:#").int()),
            (Some(-7), None, None, None)
        );
        assert_eq!(
            (value("4:true!").bool(), value("5:false!").bool(), value("1:1!").bool()),
            (Some(true), Some(false), None)
        );
        assert_eq!((value("1:a,").text(), value("1:1#").text()), (Some(&b"a"[..]), None));
    }

    /// A list of a list of a list …, which a reader that goes into all of them would not survive.
    #[test]
    fn depth_costs_nothing() {
        let mut deep = b"0:]".to_vec();
        for _ in 0..2_000 {
            let mut outer = Vec::new();
            write(&mut outer, Kind::List, &deep);
            deep = outer;
        }
        let mut value = read(&deep).unwrap();
        for _ in 0..2_000 {
            value = value.items().unwrap().next().unwrap().unwrap();
        }
        assert_eq!(value.items().unwrap().count(), 0);
    }
}
