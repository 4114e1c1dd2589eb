//! `tidegate plugin push`: puts a component into a registry, under a tag.

use super::Registry;
use crate::oci::Description;
use crate::plugin::component_names;
use crate::system::output::{note, print};
use anyhow::{Context, bail};
use clap::Args;
use jiff::{Timestamp, Unit};
use std::path::PathBuf;
use std::process::ExitCode;

/// The flags of `plugin push`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// The component
    file: PathBuf,
    #[command(flatten)]
    registry: Registry,
}

impl Push {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { file, registry } = self;
        let reference = registry.reference.clone();
        if !reference.is_tag() {
            bail!("{reference} names a digest, which the registry gives: name a tag, as in {}:1", reference.repository);
        }
        let reading = || format!("reading {}", file.display());
        let bytes = std::fs::read(&file).with_context(reading)?;
        let Some((imports, exports)) = component_names(&bytes) else {
            bail!("{} is no component: build one with `tidegate plugin build`", file.display());
        };
        // The file's time: pushed again, it is the same artifact.
        let modified = file.metadata().and_then(|metadata| metadata.modified()).with_context(reading)?;
        let created = Timestamp::try_from(modified)?.round(Unit::Second)?.to_string();
        let (size, description) = (bytes.len(), Description { created, imports, exports });
        let artifact = registry.ask(&format!("pushing {} to {reference}", file.display()), async |registries| {
            registries.push(&reference, bytes, &description).await
        })?;
        note(format_args!("pushed {} ({size} bytes) to {reference}", file.display()));
        print(format!("{}\n", reference.pinned(&artifact.digest)))?;
        Ok(ExitCode::SUCCESS)
    }
}
