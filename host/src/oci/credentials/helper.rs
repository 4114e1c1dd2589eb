//! Credential helpers: programs beside docker that know the credentials of registries.

use super::quoting::{one_line, unreadable};
use crate::config::CREDENTIAL_HELPER_MS;
use serde::Deserialize;
use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// The most that a helper may print.
const HELPER_BYTES_MAX: u64 = 64 << 10;

/// What a helper prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HelperCredentials {
    pub(super) username: String,
    pub(super) secret: String,
}

/// Asks a helper, a program beside docker; none if it knows nothing of the registry.
///
/// # Errors
/// When there is no such program, or it fails or takes too long.
pub(super) async fn ask(helper: &str, key: &str) -> Result<Option<HelperCredentials>, String> {
    if helper.is_empty() {
        return Ok(None);
    }
    let program = format!("docker-credential-{helper}");
    if program.contains('/') {
        return Err(format!("`{helper}` is no credential helper's name"));
    }
    let output = timeout(Duration::from_millis(CREDENTIAL_HELPER_MS), run(&program, key))
        .await
        .map_err(|_| format!("{program} takes longer than {CREDENTIAL_HELPER_MS} ms"))?;
    let (success, output) = output.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{program} is not installed, or not in PATH"),
        _ => format!("running {program}: {error}"),
    })?;
    if success {
        return serde_json::from_slice(&output).map(Some).map_err(|error| format!("{program}: {}", unreadable(&error)));
    }
    let output = String::from_utf8_lossy(&output);
    // Docker's own helpers say it in these words; the protocol has no other sign for it.
    if output.contains("credentials not found") { Ok(None) } else { Err(format!("{program}: {}", one_line(&output))) }
}

/// Whether it ended well, and what it printed. Dropped before, it is killed.
async fn run(program: &str, key: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(key.as_bytes()).await {
            // One that has the same credentials for all reads nothing, and may have ended.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(HELPER_BYTES_MAX).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?.success(), output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_helper_need_not_read_what_it_is_asked() {
        // More than a pipe holds.
        let key = "x".repeat(1 << 20);
        assert_eq!(run("true", &key).await.unwrap(), (true, Vec::new()));
    }
}
