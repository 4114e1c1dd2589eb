//! The schema of records as every reader of protobuf takes it: a set of file descriptors, made of one table.

use prost::Message;

/// The name of the message that records are.
pub(super) const SCHEMA: &str = "tidegate.Record";

const PACKAGE: &str = "tidegate";
const OPTIONAL: i32 = 1;
const REPEATED: i32 = 3;

/// The types of fields, as descriptors number them.
#[derive(Clone, Copy)]
enum Type {
    Uint64 = 4,
    Bool = 8,
    String = 9,
    Message = 11,
    Bytes = 12,
    Uint32 = 13,
    Enum = 14,
    Sint64 = 18,
}

/// A message: its name, and its fields with number, label, type and what that refers to.
type MessageRow = (&'static str, &'static [(&'static str, i32, i32, Type, &'static str)]);

const MESSAGES: [MessageRow; 8] = [
    (
        "Record",
        &[
            ("frames", 1, REPEATED, Type::Bytes, ""),
            ("metadata", 2, REPEATED, Type::Message, "Pair"),
            ("call", 3, OPTIONAL, Type::Message, "Call"),
        ],
    ),
    ("Pair", &[("key", 1, OPTIONAL, Type::String, ""), ("value", 2, OPTIONAL, Type::String, "")]),
    (
        "Call",
        &[
            ("plugin", 1, OPTIONAL, Type::String, ""),
            ("generation", 2, OPTIONAL, Type::Uint64, ""),
            ("digest", 3, OPTIONAL, Type::Bytes, ""),
            ("number", 4, OPTIONAL, Type::Uint64, ""),
            ("nanos", 5, OPTIONAL, Type::Uint64, ""),
            ("stage", 6, OPTIONAL, Type::Uint32, ""),
            ("answer", 7, OPTIONAL, Type::Message, "Answer"),
            ("failure", 8, OPTIONAL, Type::Message, "CallFailure"),
            ("role", 9, OPTIONAL, Type::Enum, "CallRole"),
            ("buckets", 10, OPTIONAL, Type::Message, "Buckets"),
        ],
    ),
    ("Answer", &[("outputs", 1, REPEATED, Type::Message, "Output")]),
    (
        "Output",
        &[
            ("after_ns", 1, OPTIONAL, Type::Uint64, ""),
            ("frames", 2, REPEATED, Type::Bytes, ""),
            ("metadata", 3, REPEATED, Type::Message, "Pair"),
        ],
    ),
    ("CallFailure", &[("reason", 1, OPTIONAL, Type::String, ""), ("detail", 2, OPTIONAL, Type::String, "")]),
    ("Buckets", &[("uses", 1, REPEATED, Type::Message, "Use"), ("is_cut", 2, OPTIONAL, Type::Bool, "")]),
    (
        "Use",
        &[
            ("bucket", 1, OPTIONAL, Type::String, ""),
            ("kind", 2, OPTIONAL, Type::Enum, "UseKind"),
            ("key", 3, OPTIONAL, Type::String, ""),
            ("delta", 4, OPTIONAL, Type::Sint64, ""),
            ("error", 5, OPTIONAL, Type::String, ""),
            ("found", 6, OPTIONAL, Type::Bool, ""),
            ("value", 7, OPTIONAL, Type::Bytes, ""),
            ("number", 8, OPTIONAL, Type::Sint64, ""),
            ("keys", 9, REPEATED, Type::String, ""),
            ("cursor", 10, OPTIONAL, Type::String, ""),
            ("has_value", 11, OPTIONAL, Type::Bool, ""),
        ],
    ),
];

const ROLES: [(&str, i32); 4] = [("TRANSFORM", 0), ("PROCESSOR", 1), ("POLICY", 2), ("HANDLER", 3)];

const USE_KINDS: [(&str, i32); 8] = [
    ("GET", 0),
    ("SET", 1),
    ("DELETE", 2),
    ("EXISTS", 3),
    ("LIST_KEYS", 4),
    ("INCREMENT", 5),
    ("WATCH", 6),
    ("SWAP", 7),
];

#[derive(Clone, PartialEq, Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    message: Vec<Described>,
    #[prost(message, repeated, tag = "5")]
    enumeration: Vec<DescribedEnum>,
    #[prost(string, tag = "12")]
    syntax: String,
}

#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    field: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, optional, tag = "6")]
    type_name: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct DescribedEnum {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    value: Vec<EnumValue>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumValue {
    #[prost(string, tag = "1")]
    name: String,
    // Zero is written too: a reader asks for it.
    #[prost(int32, optional, tag = "2")]
    number: Option<i32>,
}

/// The descriptors, encoded.
pub(super) fn schema() -> Vec<u8> {
    let field = |&(name, number, label, kind, refers): &(&str, i32, i32, Type, &str)| Field {
        name: name.to_owned(),
        number,
        label,
        kind: kind as i32,
        type_name: (!refers.is_empty()).then(|| format!(".{PACKAGE}.{refers}")),
    };
    let message =
        |(name, fields): &MessageRow| Described { name: (*name).to_owned(), field: fields.iter().map(field).collect() };
    let value = |(name, number): (&str, i32)| EnumValue { name: name.to_owned(), number: Some(number) };
    let role = DescribedEnum { name: "CallRole".to_owned(), value: ROLES.map(value).into() };
    let use_kind = DescribedEnum { name: "UseKind".to_owned(), value: USE_KINDS.map(value).into() };
    let file = File {
        name: "tidegate/record.proto".to_owned(),
        package: PACKAGE.to_owned(),
        message: MESSAGES.iter().map(message).collect(),
        enumeration: vec![role, use_kind],
        syntax: "proto3".to_owned(),
    };
    FileSet { file: vec![file] }.encode_to_vec()
}
