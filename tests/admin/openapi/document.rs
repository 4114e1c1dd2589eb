//! Validates answers against the schemas of the OpenAPI document.

use crate::harness::{Answer, Host};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Statuses that any request may get before its operation is looked at.
const UNFIT: [u16; 4] = [400, 414, 431, 501];

/// The OpenAPI document, and the answers of it that have been seen.
pub struct Document {
    pub json: Value,
    pub seen: BTreeSet<String>,
}

impl Document {
    pub fn of(host: &Host) -> Self {
        let answer = host.admin_request("GET", "/openapi.json", None);
        assert_eq!(answer.header("content-type"), "application/json");
        Self { json: answer.json(), seen: BTreeSet::new() }
    }

    fn resolved<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value.get("$ref") {
            value = self.json.pointer(&reference.as_str().unwrap()[1..]).unwrap_or_else(|| panic!("{reference}"));
        }
        value
    }

    /// Validates an answer against the document's schema for this operation and status.
    #[track_caller]
    pub fn check(&mut self, operation: &str, answer: &Answer) {
        let (method, path) = operation.split_once(' ').unwrap();
        let responses = &self.json["paths"][path][method]["responses"];
        let status = answer.status.to_string();
        // Statuses of [`UNFIT`] are documented once, as the default.
        let is_unfit = responses.get(&status).is_none() && UNFIT.contains(&answer.status);
        let status = if is_unfit { "default" } else { &status };
        let name = format!("{operation} {status}");
        let documented = &responses[status];
        assert!(!documented.is_null(), "{name} is not documented: {}", answer.text());
        let documented = self.resolved(documented);
        for (header, _) in documented.get("headers").and_then(Value::as_object).into_iter().flatten() {
            assert_ne!(answer.header(&header.to_ascii_lowercase()), "", "{name} lacks {header}");
        }
        assert!(is_unfit || answer.header("cache-control") == "no-store", "{name}");
        let content_type = answer.header("content-type").split(';').next().unwrap();
        let schema = &documented["content"][content_type]["schema"];
        assert!(!schema.is_null(), "{name} is not documented as {content_type}");
        let value = if content_type.ends_with("json") { answer.json() } else { json!(answer.text()) };
        let mut whole = json!({"allOf": [schema], "components": self.json["components"]});
        close(&mut whole);
        let mut compiler = boon::Compiler::new();
        compiler.enable_format_assertions();
        compiler.enable_content_assertions();
        compiler.add_resource("urn:whole", whole).unwrap();
        let mut schemas = boon::Schemas::new();
        let schema = compiler.compile("urn:whole", &mut schemas).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{name}: {error}\n{value:#}"));
        self.seen.insert(name);
    }

    pub fn operations(&self) -> BTreeSet<String> {
        let mut operations = BTreeSet::new();
        for (path, item) in self.json["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|&method| method != "parameters") {
                operations.insert(format!("{method} {path}"));
            }
        }
        operations
    }
}

/// Forbids properties that a schema does not name, so that an answer has none that is undocumented.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
