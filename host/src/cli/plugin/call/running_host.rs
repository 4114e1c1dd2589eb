//! A call of a plugin of a running host, through its admin surface.

use super::Role;
use super::input::Given;
use crate::cli::output::render::{field, printable};
use crate::cli::output::table::table;
use crate::cli::plugin::admin::{Admin, items, text};
use crate::dead_letters::Base64;
use crate::plugin::{Message, Request, WrittenRequest};
use serde::Serialize;
use serde_json::{Value, json};

/// As the admin surface takes it, where nothing may be null.
#[derive(Serialize)]
struct HttpRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<Base64>,
}

/// Calls the plugin of this name.
///
/// # Errors
/// When no host answers, or the call fails.
pub(super) fn call(name: &str, role: Option<Role>, given: Given, admin: &Admin) -> anyhow::Result<()> {
    let role = role.map_or_else(|| role_of(name, admin), Ok)?;
    let call = match role {
        Role::Transform => {
            let Message { metadata, body, .. } = given.message()?;
            json!({"message": {"metadata": metadata, "body_base64": Base64(body)}})
        }
        Role::ReplyPolicy => {
            let Request { frames, .. } = given.request()?;
            json!({"request": {"frames_base64": frames.into_iter().map(Base64).collect::<Vec<_>>()}})
        }
        Role::HttpHandler => {
            let WrittenRequest { method, path, headers, body } = given.http_request()?;
            json!({"http_request": HttpRequest { method, path, headers, body_base64: body.map(Base64) }})
        }
    };
    admin.run("POST", &format!("/plugins/{name}/call"), call.to_string().as_bytes(), show)
}

/// The role that the plugin has; of two, the first.
fn role_of(name: &str, admin: &Admin) -> anyhow::Result<Role> {
    let plugin = admin.look(&format!("/plugins/{name}"))?;
    Ok(match items(&plugin, "roles").first().and_then(Value::as_str) {
        Some("reply-policy") => Role::ReplyPolicy,
        Some("http-handler") => Role::HttpHandler,
        _ => Role::Transform,
    })
}

/// A message as its fields, one a line; replies as a table.
pub(in crate::cli) fn show(returned: &Value) -> String {
    let (plugin, generation) = (text(returned, "plugin"), &returned["generation"]);
    let by = format!("by: {plugin}, generation {generation}\n");
    if text(returned, "role") == "reply-policy" {
        let rows = items(returned, "replies").iter().map(|reply| [reply["delay_ms"].to_string(), frames(reply)]);
        return by + &table(["DELAY MS", "FRAMES"], rows.collect());
    }
    if let Some(response) = returned.get("response") {
        let headers = items(response, "headers").iter().map(|pair| {
            let [name, value] = [&pair[0], &pair[1]].map(|text| text.as_str().unwrap_or_default());
            field("header", &format!("{name}: {value}"))
        });
        return by + &format!("status: {}\n", response["status"]) + &headers.collect::<String>() + &body(response);
    }
    let Some(message) = returned.get("message").filter(|message| !message.is_null()) else {
        return by + "filtered: there is no message\n";
    };
    let mut output = by;
    if let Some(topic) = message["topic"].as_str().filter(|topic| !topic.is_empty()) {
        output += &format!("topic: {}\n", printable(topic));
    }
    for pair in items(message, "metadata") {
        let [key, value] = [&pair[0], &pair[1]].map(|text| printable(text.as_str().unwrap_or_default()));
        output += &format!("metadata: {key}={value}\n");
    }
    output + &body(message)
}

fn body(of: &Value) -> String {
    match of.get("body").and_then(Value::as_str) {
        Some(body) => format!("body: {}\n", printable(body)),
        None => format!("body (base64): {}\n", text(of, "body_base64")),
    }
}

fn frames(reply: &Value) -> String {
    let list = |key| items(reply, key).iter().filter_map(Value::as_str).map(printable).collect::<Vec<_>>().join(" | ");
    if reply.get("frames").is_some() { list("frames") } else { format!("base64: {}", list("frames_base64")) }
}
