//! Credentials for a registry, from where docker keeps them: its configuration, or a helper that this names.

use super::Error;
use crate::config::CREDENTIAL_HELPER_MS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

/// The registry of many names, and the name under which docker keeps its credentials.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name that says that a helper's secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// What a helper may say.
const HELPER_BYTES_MAX: u64 = 64 << 10;

/// What of docker's configuration is about credentials.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Docker {
    auths: BTreeMap<String, Login>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

/// Of one registry; which of the fields are there depends on who wrote it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    username: String,
    secret: String,
}

/// Those for a registry; without any, it is asked as anybody.
pub(super) async fn of(registry: &str) -> Result<RegistryAuth, Error> {
    let Some(file) = file() else { return Ok(RegistryAuth::Anonymous) };
    read(&file, registry)
        .await
        .map_err(|why| Error::refused(registry, &format!("credentials of {}: {why}", file.display())))
}

fn file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")));
    directory.map(|directory| directory.join("config.json"))
}

async fn read(file: &Path, registry: &str) -> Result<RegistryAuth, String> {
    let text = match tokio::fs::read(file).await {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        Err(error) => return Err(error.to_string()),
    };
    let docker: Docker = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if let Some(helper) = docker.cred_helpers.get(registry).or(docker.creds_store.as_ref())
        && let Some(told) = ask(helper, key(registry)).await?
    {
        return if told.username == TOKEN_USER { Err(no_token()) } else { Ok(basic(told.username, told.secret)) };
    }
    docker
        .auths
        .iter()
        .find(|(key, _)| is_of(key, registry))
        .map_or(Ok(RegistryAuth::Anonymous), |(_, login)| login.read())
}

/// The name under which a registry's credentials are asked for.
fn key(registry: &str) -> &str {
    if DOCKER_HUB.contains(&registry) { DOCKER_HUB_KEY } else { registry }
}

/// Whether an entry, which may be a name or an address, is a registry's.
fn is_of(key: &str, registry: &str) -> bool {
    let name = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let name = name.split('/').next().unwrap_or(name);
    name == registry || (DOCKER_HUB.contains(&name) && DOCKER_HUB.contains(&registry))
}

fn basic(user: String, password: String) -> RegistryAuth {
    RegistryAuth::Basic(user, password)
}

fn no_token() -> String {
    "an identity token cannot be used here: log in with a user name and a password or access token".to_owned()
}

impl Login {
    fn read(&self) -> Result<RegistryAuth, String> {
        if self.identitytoken.as_ref().is_some_and(|token| !token.is_empty()) {
            return Err(no_token());
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            let wrong = || "the entry's `auth` is not the base64 of USER:PASSWORD: log in again".to_owned();
            let bytes = STANDARD.decode(auth).map_err(|_| wrong())?;
            let text = String::from_utf8(bytes).map_err(|_| wrong())?;
            let (user, password) = text.split_once(':').ok_or_else(wrong)?;
            return Ok(basic(user.to_owned(), password.trim_end_matches('\0').to_owned()));
        }
        Ok(match (&self.username, &self.password) {
            (Some(user), Some(password)) => basic(user.clone(), password.clone()),
            _ => RegistryAuth::Anonymous,
        })
    }
}

/// Asks a helper, a program beside docker; none if it knows nothing of the registry.
async fn ask(helper: &str, key: &str) -> Result<Option<Told>, String> {
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
    let (success, said) = output.map_err(|error| format!("running {program}: {error}"))?;
    if success {
        return serde_json::from_slice(&said).map(Some).map_err(|error| format!("{program}: {error}"));
    }
    let said = String::from_utf8_lossy(&said);
    // As docker's own helpers put it; they have no better way to say so.
    if said.contains("credentials not found") { Ok(None) } else { Err(format!("{program}: {}", said.trim())) }
}

/// Whether it ended well, and what it said. Dropped before, it is killed.
async fn run(program: &str, key: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(key.as_bytes()).await?;
    }
    let mut said = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(HELPER_BYTES_MAX).read_to_end(&mut said).await?;
    }
    Ok((child.wait().await?.success(), said))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_text(text: &str, registry: &str) -> Result<RegistryAuth, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        std::fs::write(&file, text).unwrap();
        read(&file, registry).await
    }

    #[tokio::test]
    async fn an_entry_is_found_by_name_or_address() {
        let known = basic("me".to_owned(), "a:b".to_owned());
        let auth = STANDARD.encode("me:a:b");
        for (key, registry) in
            [("h:5000", "h:5000"), ("https://h:5000/v2/", "h:5000"), ("https://index.docker.io/v1/", "docker.io")]
        {
            let text = format!(r#"{{"auths": {{"other": {{}}, "{key}": {{"auth": "{auth}"}}}}, "psFormat": "x"}}"#);
            assert_eq!(read_text(&text, registry).await.unwrap(), known, "{key}");
            assert_eq!(read_text(&text, "h").await.unwrap(), RegistryAuth::Anonymous);
        }
        let plain = r#"{"auths": {"h": {"username": "me", "password": "a:b"}}}"#;
        assert_eq!(read_text(plain, "h").await.unwrap(), known);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_no_silence() {
        for (text, why) in [
            ("{", "EOF"),
            (r#"{"auths": {"h": {"auth": "!"}}}"#, "log in again"),
            (r#"{"auths": {"h": {"identitytoken": "x"}}}"#, "identity token"),
            (r#"{"credsStore": "no-such-helper"}"#, "running docker-credential-no-such-helper"),
            (r#"{"credHelpers": {"h": "../x"}}"#, "no credential helper's name"),
        ] {
            let error = read_text(text, "h").await.unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let missing = tempfile::tempdir().unwrap().path().join("config.json");
        assert_eq!(read(&missing, "h").await.unwrap(), RegistryAuth::Anonymous);
    }
}
