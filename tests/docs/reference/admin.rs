//! The routes of the admin surface, as its own description has them.

use super::source::cell;
use crate::harness::root;
use serde_json::Value;
use std::fmt::Write;

const PREFACE: &str = "
## Admin surface

Described in full by `GET /openapi.json`. Without a token it answers only calls from this machine that no web page can have made; with
`admin.token_file` every call but `/livez` and `/readyz` needs `Authorization: Bearer TOKEN`.

| | | statuses |
| --- | --- | --- |
";

pub fn section() -> String {
    let text = std::fs::read_to_string(root().join("host/src/http/openapi.json")).unwrap();
    let description: Value = serde_json::from_str(&text).unwrap();
    let mut text = PREFACE.to_owned();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let (Some(summary), Some(responses)) = (operation["summary"].as_str(), operation["responses"].as_object())
            else {
                continue;
            };
            let statuses: Vec<_> = responses.keys().filter(|status| *status != "default").map(String::as_str).collect();
            let (method, statuses) = (method.to_uppercase(), statuses.join(", "));
            writeln!(text, "| `{method} {path}` | {} | {statuses} |", cell(summary)).unwrap();
        }
    }
    text
}
