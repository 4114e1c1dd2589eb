//! Sources: which plugins there are to load, as the command line names them or a directory holds them.

use crate::config::{Place, check_name};
use std::path::{Path, PathBuf};

/// A plugin's name, and where it is loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name, which is its route.
    pub name: String,
    /// The component.
    pub place: Place,
}

/// The plugins of a directory: every `*.wasm` whose stem can be a name; the others are returned as complaints.
///
/// # Errors
/// When the directory cannot be read.
pub fn scan(directory: &Path) -> std::io::Result<(Vec<Source>, Vec<String>)> {
    let (mut sources, mut complaints) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) && !path.exists() {
            complaints.push(format!("{}: the link leads nowhere; mend it, or remove it", path.display()));
            continue;
        }
        match source_of(path) {
            Ok(source) => sources.push(source),
            Err(complaint) => complaints.push(complaint),
        }
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((sources, complaints))
}

impl Source {
    /// The plugin at a place, named after the file's stem or the repository's last part.
    ///
    /// # Errors
    /// When the name that this gives cannot be the name of a plugin.
    pub fn of(place: Place) -> Result<Self, String> {
        match place {
            Place::File(path) => source_of(path),
            Place::Registry(ref reference) => {
                let name = reference.name().to_owned();
                check_name(&name).map_err(|error| format!("{reference}: {error}"))?;
                Ok(Self { name, place })
            }
        }
    }
}

/// A path's plugin: its name is the file's stem.
///
/// # Errors
/// When the stem cannot be the name of a plugin.
pub fn source_of(path: PathBuf) -> Result<Source, String> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    check_name(&name).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Source { name, place: path.into() })
}
