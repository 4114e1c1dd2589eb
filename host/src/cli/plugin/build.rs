//! `tidegate plugin build`: from a guest crate to a component that names its sources.

mod rust;

use super::sources::{SECTION, source_digest};
use crate::plugin::{EXAMPLES_SECTION, Examples, custom_sections, write_at_once};
use anyhow::{Context, ensure};
use clap::Args;
use rust::Package;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wit_component::ComponentEncoder;

/// What stands in a guest crate and is tried at every load of its component.
pub(super) const EXAMPLES_FILE: &str = "examples.toml";
/// Of a module that holds the description of its world, and of a component.
const WORLD_SECTION: &str = "component-type";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The flags of `plugin build`.
///
/// The environment goes through to cargo: CARGO_BUILD_TARGET=wasm32-wasip2 builds for WASI, whose output is a component
/// already.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The guest's crate
    dir: PathBuf,
    /// Where the component goes [default: beside DIR, named after the package]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Build {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let output = build(&self.dir, self.output.as_deref())?;
        let component = std::fs::read(&output).with_context(|| format!("reading {}", output.display()))?;
        println!("{} {} bytes sha256:{}", output.display(), component.len(), crate::plugin::digest(&component));
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds the guest in `dir` and returns where its component is: `output`, else beside `dir`, named after the guest.
///
/// # Errors
/// When it cannot be built; what its language's tools say of that went to stderr.
pub(super) fn build(dir: &Path, output: Option<&Path>) -> anyhow::Result<PathBuf> {
    let package = Package::of(dir)?;
    let output = match output {
        Some(output) => output.to_owned(),
        None => package.directory.parent().unwrap_or(Path::new("/")).join(format!("{}.wasm", package.name)),
    };
    ensure!(!output.is_dir(), "{} is a directory: name a file with -o", output.display());

    let module = package.compile()?;
    let bytes = std::fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let mut component = encode(&package.name, bytes)?;
    append_section(&mut component, SECTION, source_digest(&package.directory)?.as_bytes());
    if let Some(examples) = examples(&package.directory)? {
        append_section(&mut component, EXAMPLES_SECTION, examples.as_bytes());
    }
    write_at_once(&output, &component).with_context(|| format!("writing {}", output.display()))?;
    Ok(output)
}

/// The crate's examples, which its component carries from now on; none if it has none.
fn examples(directory: &Path) -> anyhow::Result<Option<String>> {
    let path = directory.join(EXAMPLES_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Examples::parse(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    Ok(Some(text))
}

/// Makes a component of a module, unless it is one.
fn encode(name: &str, bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    if bytes.starts_with(COMPONENT) {
        return Ok(bytes);
    }
    let names_its_world = custom_sections(&bytes).any(|(section, _)| section.starts_with(WORLD_SECTION));
    ensure!(
        names_its_world,
        "{name} implements no world: call wit_bindgen::generate!({{ path: \"../../wit\", world: \"transform-plugin\", \
         generate_all }}) (or reply-policy-plugin), and export!() your type"
    );
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|encoder| encoder.encode())
        .with_context(|| format!("making a component of {name}"))
}

fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    use wasm_encoder::{ComponentSection, CustomSection};
    CustomSection { name: name.into(), data: data.into() }.append_to_component(component);
}
