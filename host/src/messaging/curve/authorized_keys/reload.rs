//! How the list of authorized keys follows its directory: a thread looks at the files, and puts a new list in force.

use super::AuthorizedKeys;
use crate::config::{AUTHORIZED_KEYS_LOOK_MS, AUTHORIZED_KEYS_MAX, AUTHORIZED_KEYS_REST_MS};
use crate::messaging::curve::key_file::KeyFile;
use crate::system::file_watch::{FileWatch, Notices, Pace, Watched};
use crate::system::supervisor::Supervisor;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

/// How many files a log line names at most.
const NAMED_MAX: usize = 10;

#[derive(Debug, Default)]
pub(super) struct Looking {
    pub(super) files: BTreeMap<PathBuf, KeyFile>,
    failing: bool,
}

impl AuthorizedKeys {
    /// Starts a thread that looks at the directory until the watch is dropped. The threads that own sockets must not
    /// wait for a disk, so they use what that thread found last.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(in crate::messaging::curve) fn watch(self: &Arc<Self>, supervisor: &Supervisor) -> Result<FileWatch, String> {
        let [rest, rescan] = [AUTHORIZED_KEYS_REST_MS, AUTHORIZED_KEYS_LOOK_MS].map(Duration::from_millis);
        FileWatch::start((supervisor, "watch-keys"), Pace { rest, rescan }, Arc::clone(self))
    }

    /// Looks at the directory and reads what changed. Returns whether nothing did.
    pub(super) fn renew(&self) -> bool {
        let mut looking = self.looking();
        let looked = self.scan(&looking.files, false);
        let stalled = self.look.end();
        let directory = self.directory.display();
        match looked {
            Ok(files) => {
                if std::mem::take(&mut looking.failing) || stalled {
                    tracing::info!(%directory, "the authorized keys can be read again");
                }
                let at_rest = files == looking.files;
                if !at_rest {
                    self.replace_list(&files);
                    looking.files = files;
                }
                at_rest
            }
            Err(error) => {
                self.reload_failures.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut looking.failing, true) {
                    let keys = self.count();
                    tracing::error!(
                        %directory, %error, keys,
                        "the authorized keys cannot be read: the last list stays in force; put the directory back"
                    );
                }
                true
            }
        }
    }

    pub(super) fn looking(&self) -> MutexGuard<'_, Looking> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The files of the directory now. Files that did not change since `known` are not read.
    pub(super) fn scan(
        &self,
        known: &BTreeMap<PathBuf, KeyFile>,
        first: bool,
    ) -> io::Result<BTreeMap<PathBuf, KeyFile>> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            #[cfg(debug_assertions)]
            crate::messaging::curve::key_look::hang_if_asked(&path);
            let before = known.get(&path);
            if let Some(file) = KeyFile::examine(&path, before, first)? {
                if let Some(cause) = file.new_failure(before) {
                    self.reload_failures.fetch_add(1, Ordering::Relaxed);
                    let file = path.display();
                    tracing::error!(%file, cause, "skipped among the authorized keys: put one public key there, or remove it");
                }
                found.insert(path, file);
            }
            if found.len() > AUTHORIZED_KEYS_MAX {
                return Err(io::Error::other(format!("more than {AUTHORIZED_KEYS_MAX} files")));
            }
        }
        Ok(found)
    }

    /// Puts a new list in force, if it is another one.
    pub(super) fn replace_list(&self, files: &BTreeMap<PathBuf, KeyFile>) {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let listed: HashMap<String, String> =
            files.iter().filter_map(|(path, known)| Some((known.key.clone()?, name(path)))).collect();
        let before = self.listed.load_full();
        let missing = |from: &HashMap<String, String>, among: &HashMap<String, String>| {
            let mut files: Vec<_> =
                from.iter().filter(|(key, _)| !among.contains_key(*key)).map(|(_, file)| file.clone()).collect();
            files.sort_unstable();
            files
        };
        let (added, removed) = (missing(&listed, &before), missing(&before, &listed));
        let keys = listed.len();
        self.listed.store(Arc::new(listed));
        if !added.is_empty() || !removed.is_empty() {
            self.generation.fetch_add(1, Ordering::Release);
            self.removals.fetch_add(u64::from(!removed.is_empty()), Ordering::Release);
            tracing::info!(keys, added = named(&added), removed = named(&removed), "authorized keys");
        }
    }
}

impl Watched for Arc<AuthorizedKeys> {
    /// May block for as long as the file system of the directory does.
    fn look(&mut self, notices: &mut Notices) -> bool {
        self.look.begin();
        notices.follow([self.directory.join("any")]);
        self.renew()
    }
}

/// The first of these names, and how many more there are.
fn named(files: &[String]) -> Option<String> {
    let more = files.len().saturating_sub(NAMED_MAX);
    let names = files.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match (files.len(), more) {
        (0, _) => None,
        (_, 0) => Some(names),
        (_, more) => Some(format!("{names} and {more} more")),
    }
}
