//! The compile cache: what components compiled to, on disk, so that a start compiles nothing twice.
//!
//! An entry is machine code that the host will run, so it is trusted only where nobody else can have written it: a
//! directory, and all above it, that no other user may change. A checksum at an entry's end finds what a disk or a
//! crash has broken. Its name is derived from the component's digest and all that decides on the code.

use super::reset;
use super::{adopt_file, hex};
use crate::config;
use crate::plugin::run::isolation::Isolation;
use crate::plugin::run::runtime::{Runtime, compile_settings};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use wasmtime::component::Component;

const EXTENSION: &str = "cwasm";
/// BLAKE3, at an entry's end.
const CHECKSUM_BYTES: usize = 32;
/// Write permission of group and others.
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// A directory of compiled components.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    bytes_max: u64,
    /// A hash of all that decides on the code, apart from the component.
    engine: String,
    written: AtomicU64,
}

impl Cache {
    /// The cache that is configured, of code with or without debug info; none where none is wanted, or where no home of
    /// the user is known.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn configured(config: &config::Cache, debug_info: bool) -> Result<Option<Self>, String> {
        let directory = match &config.directory {
            Some(directory) if directory.as_os_str() == "none" => None,
            Some(directory) => Some(directory.clone()),
            None => Self::default_directory(),
        };
        directory.map(|directory| Self::open(&directory, config.bytes_max, debug_info)).transpose()
    }

    /// Where entries are kept if the configuration does not say.
    fn default_directory() -> Option<PathBuf> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        base.map(|base| base.join("tidegate"))
    }

    /// Opens a cache of code with or without debug info, and makes its directory if there is none.
    ///
    /// # Errors
    /// Says what is wrong with the directory, and the remedy.
    pub fn open(directory: &Path, bytes_max: u64, debug_info: bool) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("compile cache {}: {error}", directory.display());
        if !directory.exists() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        }
        let directory = directory.canonicalize().map_err(failed)?;
        for path in directory.ancestors() {
            let metadata = path.metadata().map_err(failed)?;
            if let Some(why) = why_untrusted(&metadata, path == directory) {
                return Err(format!(
                    "compile cache {}: {} {why}; `chmod go-w` it, or name another one in cache.directory",
                    directory.display(),
                    path.display()
                ));
            }
        }
        let mut hasher = CacheKey(Sha256::new());
        let engine = wasmtime::Engine::new(&compile_settings(debug_info)).map_err(|error| format!("{error:#}"))?;
        engine.precompile_compatibility_hash().hash(&mut hasher);
        for source in reset::SOURCES {
            hasher.write(source.as_bytes());
        }
        let engine = hex(&hasher.0.finalize());
        Ok(Self { directory, bytes_max, engine, written: AtomicU64::new(0) })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// The compiled form of the component with this digest, if there is a sound one; `reset` says whether its instances
    /// are to be reset if they can.
    pub(super) fn get(&self, digest: &str, reset: bool, runtime: &Runtime) -> Option<(Component, Isolation)> {
        let path = self.path(digest, reset);
        let file = File::from(
            rustix::fs::open(&path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()?,
        );
        let compiled = sound(&file).and_then(|()| Ok((adopt_file(runtime, &path)?, isolation_of(&file)?)));
        match compiled {
            Ok(compiled) => {
                // The time of its last use, by which old entries go.
                let _ = file.set_modified(SystemTime::now());
                Some(compiled)
            }
            Err(reason) => {
                tracing::warn!(entry = %path.display(), reason, "compile cache: an unusable entry is made anew");
                let _ = std::fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps what a component compiled to. A failure is logged and costs no more than the next compilation.
    pub(super) fn put(&self, digest: &str, reset: bool, artifact: &[u8]) {
        if artifact.len() as u64 + CHECKSUM_BYTES as u64 > self.bytes_max {
            return;
        }
        let path = self.path(digest, reset);
        // Two plugins, or two hosts, may have the same component.
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let written = self.write(&temporary, artifact).and_then(|()| std::fs::rename(&temporary, &path));
        if let Err(error) = written {
            let _ = std::fs::remove_file(&temporary);
            tracing::warn!(entry = %path.display(), %error, "compile cache: not written");
        }
        self.make_room();
    }

    fn path(&self, digest: &str, reset: bool) -> PathBuf {
        let name =
            Sha256::new().chain_update(digest).chain_update(&self.engine).chain_update([u8::from(reset)]).finalize();
        self.directory.join(hex(&name)).with_extension(EXTENSION)
    }

    fn write(&self, path: &Path, artifact: &[u8]) -> std::io::Result<()> {
        let mut file = File::create(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(artifact)?;
        file.write_all(blake3::hash(artifact).as_bytes())
    }

    fn make_room(&self) {
        // An instance that runs from a file keeps its content until it ends.
        super::file::make_room(&self.directory, EXTENSION, self.bytes_max, |_| false);
    }
}

/// Why somebody else could have put an entry below this directory.
fn why_untrusted(metadata: &Metadata, is_the_cache: bool) -> Option<&'static str> {
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && (is_the_cache || metadata.uid() != 0) {
        return Some("belongs to another user");
    }
    // In a sticky directory, others may add entries but not replace ours.
    let open = metadata.mode() & OTHERS_WRITE != 0;
    (open && (is_the_cache || metadata.mode() & STICKY == 0)).then_some("may be written to by others")
}

/// Checks that nobody else can have written a file, and that it is as we wrote it.
///
/// # Errors
/// When others could have written the file, it cannot be read, or its checksum does not fit.
pub(crate) fn sound(mut file: &File) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || why_untrusted(&metadata, true).is_some() {
        return Err("somebody else may have written it".to_owned());
    }
    let Some(length) = metadata.len().checked_sub(CHECKSUM_BYTES as u64) else {
        return Err("it is too short".to_owned());
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(length)).map_err(failed)?;
    let mut checksum = [0; CHECKSUM_BYTES];
    file.read_exact(&mut checksum).map_err(failed)?;
    if hasher.finalize() == checksum { Ok(()) } else { Err("its checksum is wrong".to_owned()) }
}

/// What an entry says of its instances, between the code and the checksum.
fn isolation_of(file: &File) -> Result<Isolation, String> {
    let failed = |error: std::io::Error| error.to_string();
    let end = file.metadata().map_err(failed)?.len().saturating_sub(CHECKSUM_BYTES as u64);
    let length = end.min(Isolation::END_BYTES_MAX as u64);
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, end - length).map_err(failed)?;
    Isolation::at_end_of(&bytes).ok_or_else(|| "it does not say what its instances are".to_owned())
}

/// Turns what the engine hashes into a name that no other engine has.
struct CacheKey(Sha256);

impl Hasher for CacheKey {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Unused: the name is the whole SHA-256, not a number.
    fn finish(&self) -> u64 {
        0
    }
}
