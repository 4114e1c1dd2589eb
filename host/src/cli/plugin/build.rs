//! `tidegate plugin build`: from a guest's folder, in any of four languages, to a component that names its sources.

mod c;
mod compiled_packages;
mod entry;
mod guest;
mod install;
mod javascript;
mod made;
mod python;
mod rust;
mod shapes;
mod tool;
mod world;

use super::sources::{SECTION, source_digest};
use crate::plugin::{EXAMPLES_SECTION, Examples, custom_sections, write_at_once};
use crate::system::output::print;
use anyhow::{Context, bail, ensure};
use clap::Args;
use guest::Guest;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wit_component::ComponentEncoder;

/// What stands in a guest's folder and is tried at every load of its component.
pub(super) const EXAMPLES_FILE: &str = "examples.toml";
/// Of a module that holds the description of its world, and of a component.
const WORLD_SECTION: &str = "component-type";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The flags of `plugin build`.
///
/// Which language it is in shows from its folder: Cargo.toml is Rust, app.py with requirements.txt is Python,
/// package.json is JavaScript, a Makefile is C. The environment goes through to the language's tools:
/// CARGO_BUILD_TARGET=wasm32-wasip2 builds Rust for WASI, whose output is a component already.
#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The guest's folder
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where the component goes [default: beside DIR, named after it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Build {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let output = build(&self.dir, self.output.as_deref())?;
        let component = std::fs::read(&output).with_context(|| format!("reading {}", output.display()))?;
        let digest = crate::plugin::digest(&component);
        print(format!("{} {} bytes sha256:{digest}\n", output.display(), component.len()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds the guest in `dir` and returns where its component is: `output`, else beside `dir`, named after the guest.
///
/// # Errors
/// When it cannot be built; what its language's tools say of that went to stderr.
pub(super) fn build(dir: &Path, output: Option<&Path>) -> anyhow::Result<PathBuf> {
    let guest = Guest::at(dir)?;
    let output = match output {
        Some(output) => output.to_owned(),
        None => guest.directory.parent().unwrap_or(Path::new("/")).join(format!("{}.wasm", guest.name)),
    };
    ensure!(!output.is_dir(), "{} is a directory: name a file with -o", output.display());

    // Before the tools, which may take a minute: a slip in them is the author's to see at once.
    let examples = examples(&guest.directory)?;
    let mut component = encode(&guest.name, guest.compile()?)?;
    append_section(&mut component, SECTION, source_digest(&guest.directory)?.as_bytes());
    if let Some(examples) = examples {
        append_section(&mut component, EXAMPLES_SECTION, examples.as_bytes());
    }
    write_at_once(&output, &component).with_context(|| format!("writing {}", output.display()))?;
    Ok(output)
}

/// The guest's examples, which its component carries from now on; none if it has none.
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
        "{name} implements no world: call wit_bindgen::generate!({{ path: \"../../wit\", world: \"processor-plugin\", \
         generate_all }}) (or reply-policy-plugin), and export!() your type"
    );
    if let Some(import) = wasi_import(&bytes) {
        bail!(
            "{name} calls {import}, which no plugin is offered: leave out what reads or writes files, standard streams \
             (printf), the environment or the time; what a plugin may have stands in wit/, wasi:logging among it"
        );
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .with_context(|| format!("making a component of {name}"))
}

/// What a module asks of the first WASI, which knows no worlds: a C library does, where a file or the like is used.
fn wasi_import(module: &[u8]) -> Option<String> {
    use wasmparser::{Parser, Payload};
    let sections = Parser::new(0).parse_all(module).map_while(Result::ok).filter_map(|payload| match payload {
        Payload::ImportSection(imports) => Some(imports),
        _ => None,
    });
    let mut imports = sections.flat_map(|imports| imports.into_imports().map_while(Result::ok));
    let import = imports.find(|import| import.module.starts_with("wasi_"))?;
    Some(format!("{} of {}", import.name, import.module))
}

fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    use wasm_encoder::{ComponentSection, CustomSection};
    CustomSection { name: name.into(), data: data.into() }.append_to_component(component);
}
