//! `tidegate plugin build`: from a guest crate to a component that names its sources.

use super::sources::{SECTION, source_digest};
use crate::plugin::{EXAMPLES_SECTION, Examples, custom_sections, write_at_once};
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use wit_component::ComponentEncoder;

/// What stands in a guest crate and is tried at every load of its component.
pub(super) const EXAMPLES_FILE: &str = "examples.toml";
const DEFAULT_TARGET: &str = "wasm32-unknown-unknown";
/// Vector instructions, which every engine of today runs and no target has by default: a guest without them takes many
/// times as long over a large body. Flags that the crate or the environment sets win.
const FLAGS: &str = r#"build.rustflags=["-Ctarget-feature=+simd128"]"#;
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
        let component = build(&self.dir, self.output.as_deref())?;
        let bytes = std::fs::read(&component).with_context(|| format!("reading {}", component.display()))?;
        println!("{} {} bytes sha256:{}", component.display(), bytes.len(), crate::plugin::digest(&bytes));
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds the guest in `dir` into a component, beside it unless an `output` is named. Returns the component's path.
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

/// The guest's package.
struct Package {
    name: String,
    /// Absolute.
    directory: PathBuf,
}

impl Package {
    /// Reads what cargo says of the crate; that asks no registry.
    fn of(dir: &Path) -> anyhow::Result<Self> {
        let manifest = dir.join("Cargo.toml");
        ensure!(
            manifest.is_file(),
            "{} is not a guest crate: it has no Cargo.toml; start from a copy of one in plugins/",
            dir.display()
        );
        let directory = dir.canonicalize().with_context(|| format!("reading {}", dir.display()))?;
        let metadata = super::sources::metadata(&directory)?;
        let manifest = directory.join("Cargo.toml");
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(package) = packages.iter().find(|package| package["manifest_path"] == *manifest.to_string_lossy())
        else {
            bail!("{} holds no package: name the directory of one guest", dir.display());
        };
        let is_cdylib = |target: &Value| {
            target["crate_types"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "cdylib"))
        };
        if !package["targets"].as_array().is_some_and(|targets| targets.iter().any(is_cdylib)) {
            bail!("{} builds no module: add to it\n\n[lib]\ncrate-type = [\"cdylib\"]\n", manifest.display());
        }
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        Ok(Self { name, directory })
    }

    /// Runs cargo, whose progress goes to stderr, and returns the module it made.
    fn compile(&self) -> anyhow::Result<PathBuf> {
        let target = std::env::var("CARGO_BUILD_TARGET").unwrap_or_else(|_| DEFAULT_TARGET.to_owned());
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        // From inside the crate, so that a .cargo/config.toml beside or above it holds, wherever the user stands.
        let output = cargo
            .current_dir(&self.directory)
            .args(["build", "--release", "--lib", "--message-format=json-render-diagnostics", "--target", &target])
            .args(["--config", FLAGS])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .context("starting cargo: install Rust, or name cargo in $CARGO")?;
        if !output.status.success() {
            let name = &self.name;
            match missing_target(&target, &self.directory) {
                Some(remedy) => {
                    bail!("building {name} for {target}: the target's standard library is missing\n{remedy}")
                }
                None => bail!("building {name} for {target} failed; cargo's message above says why"),
            }
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let manifest = self.directory.join("Cargo.toml");
        messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["manifest_path"] == *manifest.to_string_lossy())
            .find_map(|message| {
                let mut files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
                files.find(|file| file.ends_with(".wasm")).map(PathBuf::from)
            })
            .with_context(|| format!("building {} for {target} made no .wasm file", self.name))
    }
}

/// What to do when the compiler lacks the target; none if that is not what is wrong.
fn missing_target(target: &str, directory: &Path) -> Option<String> {
    if std::env::var_os("CARGO_UNSTABLE_BUILD_STD").is_some() {
        return None;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let asked = Command::new(rustc)
        .current_dir(directory)
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .ok()?;
    let library = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    (!library.is_dir()).then(|| {
        format!(
            "run `rustup target add {target}`; with a compiler that is not rustup's, install the source of its \
             standard library and set RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort"
        )
    })
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
