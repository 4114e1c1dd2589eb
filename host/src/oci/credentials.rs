//! Credentials for a registry, from where docker and podman keep them: files of theirs, or a helper that one of these
//! names.

mod helper;
mod quoting;

pub(super) use quoting::one_line;

use crate::config::Reference;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use quoting::unreadable;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The names of Docker Hub, and the key under which docker keeps its credentials.
const DOCKER_HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";
/// The user name that says that a helper's secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// The part of such a file that is about credentials.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Content {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: BTreeMap<String, String>,
}

/// Of one registry, or of a part of it; which of the fields are there depends on who wrote it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What there is to show a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Shown as they are.
    Shown(RegistryAuth),
    /// An identity token, for which there is an access token.
    Identity(String),
}

impl Default for Credentials {
    fn default() -> Self {
        Self::Shown(RegistryAuth::Anonymous)
    }
}

/// The credentials for a registry.
#[derive(Default)]
pub(super) struct Login {
    pub(super) credentials: Credentials,
    /// The file that the credentials come from, by itself or by its helper; none without any.
    pub(super) file: Option<PathBuf>,
    /// What might have been credentials and could not be used.
    pub(super) troubles: Vec<String>,
    /// The access token that was given for the credentials.
    pub(super) given: Option<String>,
}

/// The login for a repository, from the first file that has one. Whatever is wrong with a file or a helper keeps nobody
/// from what is public: without credentials it is asked as anybody.
pub(super) async fn of(reference: &Reference) -> Login {
    of_files(files(), reference).await
}

async fn of_files(files: Vec<PathBuf>, reference: &Reference) -> Login {
    let mut troubles = Vec::new();
    for file in files {
        if let Some(credentials) = read(&file, reference, &mut troubles).await {
            return Login { credentials, file: Some(file), troubles, given: None };
        }
    }
    Login { troubles, ..Login::default() }
}

/// Where credentials are looked for. What a variable names comes before what lies where it usually does.
pub(super) fn files() -> Vec<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("HOME");
    let docker = set("DOCKER_CONFIG");
    let at_home = |set: Option<PathBuf>, folder| set.or_else(|| home.as_ref().map(|home| home.join(folder)));
    // Where podman writes to.
    let runtime = match set("XDG_RUNTIME_DIR") {
        Some(directory) => directory.join("containers"),
        None => Path::new("/run/containers").join(rustix::process::getuid().as_raw().to_string()),
    };
    let default_docker = if docker.is_none() { at_home(None, ".docker") } else { None };
    [
        set("REGISTRY_AUTH_FILE"),
        docker.map(|directory| directory.join("config.json")),
        Some(runtime.join("auth.json")),
        at_home(set("XDG_CONFIG_HOME"), ".config").map(|directory| directory.join("containers/auth.json")),
        default_docker.map(|directory| directory.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a file knows of who asks; none if it is not there, or knows nothing.
async fn read(file: &Path, reference: &Reference, troubles: &mut Vec<String>) -> Option<Credentials> {
    let mut trouble = |why: String| troubles.push(format!("{}: {why}", file.display()));
    let text = match tokio::fs::read(file).await {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return None,
        Err(error) => {
            trouble(error.to_string());
            return None;
        }
    };
    // A file that was made and holds nothing yet.
    if text.trim_ascii().is_empty() {
        return None;
    }
    let content: Content = match serde_json::from_slice(&text) {
        Ok(content) => content,
        Err(error) => {
            trouble(unreadable(&error));
            return None;
        }
    };
    let helper = best(&content.cred_helpers, reference).into_iter().next().or(content.creds_store.as_ref());
    if let Some(helper) = helper {
        match helper::ask(helper, key(&reference.registry)).await {
            Ok(Some(found)) if found.username == TOKEN_USER => return Some(Credentials::Identity(found.secret)),
            Ok(Some(found)) => return Some(basic(found.username, found.secret)),
            Ok(None) => {}
            Err(why) => trouble(why),
        }
    }
    for entry in best(&content.auths, reference) {
        match entry.read() {
            Ok(Some(auth)) => return Some(auth),
            Ok(None) => {}
            Err(why) => trouble(why),
        }
    }
    None
}

/// The name under which a registry's credentials are asked for.
fn key(registry: &str) -> &str {
    if DOCKER_HUB.contains(&registry) { DOCKER_HUB_KEY } else { registry }
}

/// The entries that are for a repository, those first that name most of it.
fn best<'a, T>(entries: &'a BTreeMap<String, T>, reference: &Reference) -> Vec<&'a T> {
    let mut found: Vec<_> = entries.iter().filter_map(|(key, value)| Some((names(key, reference)?, value))).collect();
    found.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    found.into_iter().map(|(_, value)| value).collect()
}

/// How much of a repository a key names, beside the registry: docker's keys are registries or addresses, podman's may
/// have a part of the repository, or all of it. None if it is of another.
fn names(key: &str, reference: &Reference) -> Option<usize> {
    let address = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let (name, path) = address.unwrap_or(key).split_once('/').unwrap_or((address.unwrap_or(key), ""));
    let registry = reference.registry.as_str();
    if name != registry && !(DOCKER_HUB.contains(&name) && DOCKER_HUB.contains(&registry)) {
        return None;
    }
    let path = path.trim_end_matches('/');
    // The path of an address is that of the protocol.
    if path.is_empty() || address.is_some() || path == "v1" || path == "v2" {
        return Some(0);
    }
    let below = reference.repository.strip_prefix(path)?;
    (below.is_empty() || below.starts_with('/')).then_some(path.len())
}

fn basic(user: String, password: String) -> Credentials {
    Credentials::Shown(RegistryAuth::Basic(user, password))
}

impl Entry {
    /// None if it says nothing, as where a helper has what belongs here.
    fn read(&self) -> Result<Option<Credentials>, String> {
        if let Some(token) = self.identitytoken.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Some(Credentials::Identity(token.clone())));
        }
        if let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) {
            let wrong = || "the entry's `auth` is not the base64 of USER:PASSWORD: log in again".to_owned();
            let bytes = STANDARD.decode(auth).map_err(|_| wrong())?;
            let text = String::from_utf8(bytes).map_err(|_| wrong())?;
            let (user, password) = text.split_once(':').ok_or_else(wrong)?;
            return Ok(Some(basic(user.to_owned(), password.trim_end_matches('\0').to_owned())));
        }
        Ok(match (&self.username, &self.password) {
            (Some(user), Some(password)) => Some(basic(user.clone(), password.clone())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Credentials = Credentials::Shown(RegistryAuth::Anonymous);

    fn reference(text: &str) -> Reference {
        text.parse().unwrap()
    }

    /// What files with these contents say of a reference.
    async fn login(texts: &[&str], of: &str) -> Login {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..texts.len()).map(|number| directory.path().join(number.to_string())).collect();
        for (file, text) in files.iter().zip(texts) {
            std::fs::write(file, text).unwrap();
        }
        of_files(files, &reference(of)).await
    }

    fn of_user(user: &str) -> Credentials {
        basic(user.to_owned(), "a:b".to_owned())
    }

    fn entry(key: &str, user: &str) -> String {
        format!(r#""{key}": {{"auth": "{}"}}"#, STANDARD.encode(format!("{user}:a:b")))
    }

    #[tokio::test]
    async fn an_entry_is_found_by_name_or_address() {
        for (key, registry) in
            [("h:5000", "h:5000"), ("https://h:5000/v2/", "h:5000"), ("https://index.docker.io/v1/", "docker.io")]
        {
            let text = format!(r#"{{"auths": {{"other": {{}}, {}}}, "psFormat": "x"}}"#, entry(key, "me"));
            assert_eq!(login(&[&text], &format!("{registry}/x:1")).await.credentials, of_user("me"), "{key}");
            assert_eq!(login(&[&text], "h/x:1").await.credentials, NONE);
        }
        let plain = r#"{"auths": {"h": {"username": "me", "password": "a:b"}}}"#;
        assert_eq!(login(&[plain], "h/x:1").await.credentials, of_user("me"));
    }

    #[tokio::test]
    async fn an_identity_token_comes_before_a_password() {
        let auth = STANDARD.encode("00000000-0000-0000-0000-000000000000:");
        let text = format!(r#"{{"auths": {{"h": {{"auth": "{auth}", "identitytoken": "t"}}}}}}"#);
        assert_eq!(login(&[&text], "h/x:1").await.credentials, Credentials::Identity("t".to_owned()));
    }

    #[tokio::test]
    async fn of_the_entries_for_parts_of_a_registry_the_longest_counts() {
        let entries = [("h", "all"), ("h/team", "team"), ("h/team/x", "x"), ("h/tea", "tea")];
        let entries = entries.map(|(key, user)| entry(key, user)).join(", ");
        let text = format!(r#"{{"auths": {{{entries}}}}}"#);
        for (of, user) in [
            ("h/team/x:1", "x"),
            ("h/team/x/y:1", "x"),
            ("h/team/xy:1", "team"),
            ("h/team:1", "team"),
            ("h/teams/x:1", "all"),
            ("h/z:1", "all"),
        ] {
            assert_eq!(login(&[&text], of).await.credentials, of_user(user), "{of}");
        }
        assert_eq!(login(&[&text], "other/team/x:1").await.credentials, NONE);
    }

    #[tokio::test]
    async fn of_the_files_the_first_that_knows_the_registry_counts() {
        let of = |key, user| format!(r#"{{"auths": {{{}}}}}"#, entry(key, user));
        let texts = ["", r#"{"auths": {"h": {}}}"#, &of("other", "no"), &of("h", "me"), &of("h", "later")];
        let found = login(&texts, "h/x:1").await;
        assert_eq!((found.credentials, found.troubles), (of_user("me"), Vec::new()));
        assert!(found.file.unwrap().ends_with("3"));
        let missing = tempfile::tempdir().unwrap().path().join("config.json");
        let none = of_files(vec![missing.join("x"), missing], &reference("h/x:1")).await;
        assert_eq!((none.credentials, none.file, none.troubles), (NONE, None, Vec::new()));
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told_and_keeps_nothing_from_being_asked() {
        for (text, why) in [
            ("{", "EOF"),
            (r#"{"auths": {"h": {"auth": "!"}}}"#, "log in again"),
            (r#"{"auths": {"h": "bWU6YTpi"}}"#, "at line 1 column 26 is none of what belongs there"),
            (r#"{"credsStore": "no-such-helper"}"#, "docker-credential-no-such-helper is not installed"),
            (r#"{"credHelpers": {"h": "../x"}}"#, "no credential helper's name"),
        ] {
            let found = login(&[text], "h/x:1").await;
            assert_eq!((found.credentials, found.file), (NONE, None), "{text}");
            assert!(found.troubles.len() == 1 && found.troubles[0].contains(why), "{text}: {:?}", found.troubles);
            assert!(!found.troubles[0].contains("bWU6YTpi"), "{:?}", found.troubles);
            // Another file may know better.
            let other = format!(r#"{{"auths": {{{}}}}}"#, entry("h", "me"));
            assert_eq!(login(&[text, &other], "h/x:1").await.credentials, of_user("me"), "{text}");
        }
    }
}
