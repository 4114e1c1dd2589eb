//! The world of a guest: the one that its `wit/` defines, beside the contract that it includes.

use anyhow::Context;
use std::path::Path;
use wit_bindgen_core::wit_parser::{Resolve, WorldId};

/// What stands in a guest's folder.
pub(super) const WIT: &str = "wit";

/// A world, and all that it refers to.
pub(super) struct World {
    pub(super) resolve: Resolve,
    pub(super) id: WorldId,
}

impl World {
    /// # Errors
    /// When `wit/` cannot be read, or defines none or several worlds.
    pub(super) fn of(directory: &Path) -> anyhow::Result<Self> {
        let wit = directory.join(WIT);
        let mut resolve = Resolve::default();
        let read = resolve.push_dir(&wit).and_then(|(package, _)| resolve.select_world(&[package], None));
        let id = read.with_context(|| {
            format!("finding the one world of {}; `tidegate plugin new` writes what belongs there", wit.display())
        })?;
        Ok(Self { resolve, id })
    }

    pub(super) fn name(&self) -> &str {
        &self.resolve.worlds[self.id].name
    }
}
