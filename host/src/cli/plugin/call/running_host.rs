//! A call of a plugin of a running host, through its admin surface.

use super::Role;
use super::input::Given;
use crate::cli::output::render::{field, printable};
use crate::cli::output::table::table;
use crate::cli::plugin::admin::{Admin, encoded, items, text};
use crate::flow::Message;
use crate::plugin::WrittenRequest;
use crate::record::dead_letters::Base64;
use crate::system::output::note;
use anyhow::Context;
use bytes::Bytes;
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

/// Calls the plugin of this name, and may `save` the call as an example of this name.
///
/// # Errors
/// When no host answers, the call fails, or it cannot be saved.
pub(super) fn call(
    name: &str,
    role: Option<Role>,
    given: Given,
    save: Option<&str>,
    admin: &Admin,
) -> anyhow::Result<()> {
    let role = role.map_or_else(|| role_of(name, given.has_frames(), admin), Ok)?;
    let (path, call) = (format!("/plugins/{name}/call"), call_of(role, given)?.to_string());
    let (success, returned) = admin.ask("POST", &path, call.as_bytes())?;
    if !admin.json() {
        // The answer alone goes to stdout.
        let took = returned.get("duration_us").filter(|_| success).map(|took| format!("took: {took} µs\n"));
        let told = log(&returned) + &took.unwrap_or_default();
        told.lines().for_each(note);
    }
    admin.show(success, &returned, show)?;
    let Some(example) = save else { return Ok(()) };
    let text = returned.get("example").and_then(Value::as_str);
    let text = text.context("the call makes no example, since it is too long for one")?;
    let path = format!("/plugins/{name}/examples?name={}", encoded(example));
    let saved = admin.send("POST", &path, text.as_bytes())?;
    note(format_args!("{name} carries {} examples now, in generation {}", saved["examples"], saved["generation"]));
    Ok(())
}

/// A call of steps as the admin surface takes it: with a request of HTTP if that is what was given, else with a message.
///
/// # Errors
/// When what was given is neither, or cannot be read.
pub(in crate::cli) fn call_of_steps(given: Given) -> anyhow::Result<Value> {
    call_of(given.role().unwrap_or(Role::Processor), given)
}

fn call_of(role: Role, given: Given) -> anyhow::Result<Value> {
    Ok(match role {
        Role::Processor => json!({"message": message(given)?}),
        Role::ReplyPolicy => {
            let Message { metadata, frames, .. } = given.request()?;
            json!({"request": {"metadata": metadata, "frames_base64": base64(frames.get(1..).unwrap_or_default())}})
        }
        Role::HttpHandler => {
            let WrittenRequest { method, path, headers, body } = given.http_request()?;
            json!({"http_request": HttpRequest { method, path, headers, body_base64: body.map(Base64) }})
        }
    })
}

fn message(given: Given) -> anyhow::Result<Value> {
    let Message { metadata, frames, .. } = given.message()?;
    let mut message = json!({"metadata": metadata});
    match &frames[..] {
        [body] => message["body_base64"] = json!(Base64(body.to_vec())),
        frames => message["frames_base64"] = base64(frames),
    }
    Ok(message)
}

fn base64(frames: &[Bytes]) -> Value {
    json!(frames.iter().map(|frame| Base64(frame.to_vec())).collect::<Vec<_>>())
}

/// The role that the plugin has; of two, the one for frames if there are any, else the first.
fn role_of(name: &str, has_frames: bool, admin: &Admin) -> anyhow::Result<Role> {
    let plugin = admin.look(&format!("/plugins/{name}"))?;
    let roles: Vec<&str> = items(&plugin, "roles").iter().filter_map(Value::as_str).collect();
    Ok(match roles.first() {
        Some(_) if has_frames && roles.contains(&"reply-policy") => Role::ReplyPolicy,
        Some(&"reply-policy") => Role::ReplyPolicy,
        Some(&"http-handler") => Role::HttpHandler,
        _ => Role::Processor,
    })
}

/// The lines that a guest has logged.
pub(in crate::cli) fn log(of: &Value) -> String {
    let line = |line: &Value| {
        let context = match text(line, "context") {
            "" => String::new(),
            context => format!("{context}: "),
        };
        field("log", &format!("{} {context}{}", text(line, "level"), text(line, "text")))
    };
    let left_out = match of.get("log_left_out").and_then(Value::as_u64) {
        None | Some(0) => String::new(),
        Some(count) => format!("log: {count} more lines\n"),
    };
    items(of, "log").iter().map(line).collect::<String>() + &left_out
}

/// A message as its fields, one a line, several numbered; replies as a table.
pub(in crate::cli) fn show(returned: &Value) -> String {
    if let Some(flow) = returned.get("flow").and_then(Value::as_str) {
        return format!("taken in again by the flow {flow}\n");
    }
    let by = match (returned.get("generation"), returned.get("component_digest").and_then(Value::as_str)) {
        (Some(generation), _) => format!("by: {}, generation {generation}\n", text(returned, "plugin")),
        (None, Some(digest)) => format!("by: component {digest}\n"),
        (None, None) => String::new(),
    };
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
    if let Some(messages) = returned.get("messages").and_then(Value::as_array) {
        let one = |(index, message)| format!("message {index}:\n{}{}", metadata(message), numbered(message));
        let listed: String = messages.iter().enumerate().map(one).collect();
        return by + &format!("messages: {}\n", messages.len()) + &listed;
    }
    let Some(message) = returned.get("message").filter(|message| !message.is_null()) else {
        return by + "filtered: there is no message\n";
    };
    let mut output = by;
    if let Some(topic) = message["topic"].as_str().filter(|topic| !topic.is_empty()) {
        output += &format!("topic: {}\n", printable(topic));
    }
    output += &metadata(message);
    output + &body(message)
}

fn metadata(message: &Value) -> String {
    let pairs = items(message, "metadata").iter().map(|pair| {
        let [key, value] = [&pair[0], &pair[1]].map(|text| printable(text.as_str().unwrap_or_default()));
        format!("metadata: {key}={value}\n")
    });
    pairs.collect()
}

/// The frames of a message, each on a line.
fn numbered(message: &Value) -> String {
    let (key, note) = if message.get("frames").is_some() { ("frames", "") } else { ("frames_base64", " (base64)") };
    let frames = items(message, key).iter().filter_map(Value::as_str).enumerate();
    frames.map(|(index, frame)| field(&format!("frame {index}{note}"), frame)).collect()
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
