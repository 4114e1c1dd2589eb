//! `tidegate plugin call`: tries a plugin of a running host on one input; nothing is published or sent.

use super::admin::{Admin, items, printable, text};
use crate::cli::table::table;
use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io::Read;
use std::process::ExitCode;

/// The flags of `plugin call`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Call {
    /// The plugin
    name: String,
    /// The message's body, or the request's frames; - reads standard input
    #[arg(required = true)]
    input: Vec<String>,
    /// What to call it as [default: transform if it has that role]
    #[arg(long)]
    role: Option<Role>,
    /// The same as --role reply-policy
    #[arg(long, conflicts_with = "role")]
    policy: bool,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    Transform,
    ReplyPolicy,
}

impl Call {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        crate::config::check_name(&self.name).map_err(anyhow::Error::msg)?;
        let frames: Vec<Vec<u8>> = self.input.iter().map(|input| read(input)).collect::<anyhow::Result<_>>()?;
        let call = match (self.role()?, &frames[..]) {
            (Role::Transform, [body]) => json!({"message": {"body_base64": BASE64_STANDARD.encode(body)}}),
            (Role::Transform, _) => bail!("a transform takes one input: give one, or say --policy"),
            (Role::ReplyPolicy, frames) => {
                let frames: Vec<String> = frames.iter().map(|frame| BASE64_STANDARD.encode(frame)).collect();
                json!({"request": {"frames_base64": frames}})
            }
        };
        self.admin.run("POST", &format!("/plugins/{}/call", self.name), call.to_string().as_bytes(), show)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The role that was asked for, else the one that the plugin has.
    fn role(&self) -> anyhow::Result<Role> {
        if self.policy {
            return Ok(Role::ReplyPolicy);
        }
        if let Some(role) = self.role {
            return Ok(role);
        }
        let plugin = self.admin.look(&format!("/plugins/{}", self.name))?;
        let only_policy = items(&plugin, "roles").iter().all(|role| role == "reply-policy");
        Ok(if only_policy && !items(&plugin, "roles").is_empty() { Role::ReplyPolicy } else { Role::Transform })
    }
}

fn read(input: &str) -> anyhow::Result<Vec<u8>> {
    if input != "-" {
        return Ok(input.as_bytes().to_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("reading standard input")?;
    Ok(bytes)
}

/// A message as its fields, one a line; replies as a table.
fn show(returned: &Value) -> String {
    let (plugin, generation) = (text(returned, "plugin"), &returned["generation"]);
    let by = format!("by: {plugin}, generation {generation}\n");
    if text(returned, "role") == "reply-policy" {
        let rows = items(returned, "replies").iter().map(|reply| [reply["delay_ms"].to_string(), frames(reply)]);
        return by + &table(["DELAY MS", "FRAMES"], rows.collect());
    }
    let Some(message) = returned.get("message").filter(|message| !message.is_null()) else {
        return by + "filtered: there is no message\n";
    };
    let mut shown = by;
    if let Some(topic) = message["topic"].as_str().filter(|topic| !topic.is_empty()) {
        shown += &format!("topic: {}\n", printable(topic));
    }
    for pair in items(message, "metadata") {
        let [key, value] = [&pair[0], &pair[1]].map(|text| printable(text.as_str().unwrap_or_default()));
        shown += &format!("metadata: {key}={value}\n");
    }
    match message.get("body").and_then(Value::as_str) {
        Some(body) => shown + &format!("body: {}\n", printable(body)),
        None => shown + &format!("body (base64): {}\n", text(message, "body_base64")),
    }
}

fn frames(reply: &Value) -> String {
    let list = |key| items(reply, key).iter().filter_map(Value::as_str).map(printable).collect::<Vec<_>>().join(" | ");
    if reply.get("frames").is_some() { list("frames") } else { format!("base64: {}", list("frames_base64")) }
}
