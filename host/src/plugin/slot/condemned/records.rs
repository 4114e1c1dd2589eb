//! The records of what is condemned: a small file each, below the compile cache, written at once.
//!
//! A record's name says which plugin of which source it is for, so that hosts can share the directory. Nothing in it is
//! believed that the name, the plugin or the form does not bear out.

use super::Condemnation;
use crate::config::{CONDEMNED_RECORD_BYTES_MAX, CONDEMNED_RECORDS_MAX};
use crate::plugin::load::cache::Cache;
use crate::plugin::load::file::remove_unfinished;
use crate::plugin::{hex, write_at_once};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;

const EXTENSION: &str = "json";
const VERSION: u32 = 1;

/// The directory of all records.
#[derive(Debug)]
pub(crate) struct RecordsDirectory {
    path: PathBuf,
    /// Where files are written while messages are carried elsewhere.
    runtime: Option<Handle>,
    /// That it cannot be written was told.
    told: AtomicBool,
}

/// The records of one plugin.
#[derive(Debug)]
pub(super) struct Records {
    directory: Arc<RecordsDirectory>,
    plugin: String,
    source: String,
    /// What the names of its files begin with.
    prefix: String,
}

/// A record, as it is written.
#[derive(Deserialize, Serialize)]
struct Record {
    version: u32,
    plugin: String,
    source: String,
    #[serde(flatten)]
    condemnation: Condemnation,
}

impl RecordsDirectory {
    /// The records below a compile cache.
    pub(crate) fn below(cache: &Cache) -> Self {
        Self::at(cache.directory().join("condemned"))
    }

    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, runtime: Handle::try_current().ok(), told: AtomicBool::new(false) }
    }

    /// Says so once: the disk is one and the same for all plugins.
    fn tell(&self, error: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            super::tell(error);
        }
    }

    /// Removes the oldest records over the bound, and what a host left behind that was killed.
    fn make_room(&self) {
        remove_unfinished(&self.path);
        let Ok(entries) = std::fs::read_dir(&self.path) else { return };
        let records =
            entries.flatten().filter(|entry| entry.path().extension().is_some_and(|found| found == EXTENSION));
        let mut records: Vec<_> =
            records.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
        records.sort();
        let over = records.len().saturating_sub(CONDEMNED_RECORDS_MAX);
        for (_, path) in records.into_iter().take(over) {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Records {
    pub(super) fn new(directory: Arc<RecordsDirectory>, plugin: &str, source: &str) -> Self {
        let key = Sha256::new().chain_update(plugin).chain_update([0]).chain_update(source).finalize();
        let prefix = format!("{plugin}.{}.", &hex(&key)[..16]);
        Self { directory, plugin: plugin.to_owned(), source: source.to_owned(), prefix }
    }

    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.directory.runtime.as_ref()
    }

    /// All records of the plugin. One that is damaged, or not by a host, is told of and ignored. Blocks.
    pub(super) fn read(&self) -> Vec<Condemnation> {
        let entries = match std::fs::read_dir(&self.directory.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                self.directory.tell(&format!("{}: {error}", self.directory.path.display()));
                return Vec::new();
            }
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let own = names.filter_map(|name| {
            let digest = name.strip_prefix(&self.prefix)?.strip_suffix(EXTENSION)?.strip_suffix('.')?.to_owned();
            Some((self.directory.path.join(&name), digest))
        });
        own.take(CONDEMNED_RECORDS_MAX)
            .filter_map(|(path, digest)| match self.read_one(&path, &digest) {
                Ok(condemnation) => Some(condemnation),
                Err(why) => {
                    tracing::warn!(record = %path.display(), ?why, "a record of condemned bytes is ignored");
                    None
                }
            })
            .collect()
    }

    fn read_one(&self, path: &Path, digest: &str) -> Result<Condemnation, String> {
        let failed = |error: io::Error| error.to_string();
        // A FIFO of that name must not be waited for, nor a link be followed.
        let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits().cast_signed();
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err("it is no file".to_owned());
        }
        let mut text = Vec::new();
        file.take(CONDEMNED_RECORD_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > CONDEMNED_RECORD_BYTES_MAX {
            return Err(format!("it is larger than {CONDEMNED_RECORD_BYTES_MAX} bytes"));
        }
        let record: Record = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        let Record { version, plugin, source, condemnation } = record;
        if version != VERSION {
            return Err(format!("its version is {version}, not {VERSION}"));
        }
        if (&plugin, &source) != (&self.plugin, &self.source) || condemnation.digest != digest {
            return Err("it is for other bytes than its name says".to_owned());
        }
        let is_plain = |text: &String| !text.chars().any(char::is_control);
        let is_sound = is_digest(digest)
            && condemnation.replaced_by.as_deref().is_none_or(is_digest)
            && condemnation.at.parse::<jiff::Timestamp>().is_ok()
            && is_plain(&condemnation.reason)
            && condemnation.roles.iter().all(is_plain);
        if is_sound { Ok(condemnation) } else { Err("it says what no host writes".to_owned()) }
    }

    /// Writes a record, or removes it where there is nothing to say any more. Blocks.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub(super) fn put(&self, digest: &str, condemnation: Option<&Condemnation>) -> Result<(), String> {
        let directory = &self.directory.path;
        let path = directory.join(format!("{}{digest}.{EXTENSION}", self.prefix));
        let outcome = match condemnation {
            Some(condemnation) => self.write(&path, condemnation),
            None => std::fs::remove_file(&path).or_else(|error| match error.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }),
        };
        self.directory.make_room();
        outcome.map_err(|error| {
            let error = format!("writing to {}: {error}", directory.display());
            self.directory.tell(&error);
            error
        })
    }

    fn write(&self, path: &Path, condemnation: &Condemnation) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory.path)?;
        let record = Record {
            version: VERSION,
            plugin: self.plugin.clone(),
            source: self.source.clone(),
            condemnation: condemnation.clone(),
        };
        write_at_once(path, &serde_json::to_vec(&record)?)
    }
}

/// Whether this is a SHA-256 as the host writes it; it becomes a part of a path.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
