//! A guest in Python: `app.py`, of which componentize-py makes a component, in a virtual environment of the guest's
//! own.

use super::compiled_packages;
use super::entry::{Entry, PYTHON_MODULE};
use super::install::Packages;
use super::made::{component_of, write_bindings};
use super::tool::{Tool, is_installed, mark_installed, works};
use super::world::{WIT, World};
use crate::system::output::note;
use anyhow::{Context, bail};
use std::path::Path;

pub(super) const SOURCE: &str = "app.py";
pub(super) const REQUIREMENTS: &str = "requirements.txt";
/// Made here and not in a cache, so that it is plain what to remove, and what an editor has to look at.
const ENVIRONMENT: &str = ".venv";
const PACKAGES: Packages = Packages {
    debian: "python3 python3-venv",
    fedora: "python3",
    arch: "python",
    alpine: "python3",
    homebrew: "python",
};

/// Makes the component at `output`, unless what is there was made of the same.
///
/// # Errors
/// When a tool is missing or fails.
pub(super) fn compile(name: &str, directory: &Path, output: &Path) -> anyhow::Result<()> {
    let world = World::of(directory)?;
    let environment = directory.join(ENVIRONMENT);
    install(directory, &environment)?;
    let componentizer = environment.join("bin/componentize-py");
    if !componentizer.is_file() {
        bail!("{REQUIREMENTS} names no componentize-py: add `componentize-py==0.25.1`, which makes the component");
    }
    let tool = || {
        Tool::new(&componentizer, directory, &PACKAGES)
            .args(["--quiet", "--wit-path", WIT, "--world", world.name()])
            // Its own backtrace says nothing of the guest.
            .env("RUST_LIB_BACKTRACE", "0")
    };
    let installed = installed(&environment);
    write_bindings(directory, installed.as_deref(), |bindings| tool().args(["bindings", bindings]).run())?;

    let entry = Entry::in_python(&world);
    let made = component_of(directory, output, &[installed.as_deref().unwrap_or_default(), &entry.text()])?;
    if installed.is_some() && made.is_there() {
        note(format_args!("{name} is built of these sources and tools already"));
        return Ok(());
    }
    made.forget()?;
    note(format_args!("building {name} with componentize-py"));
    tool()
        .args(["componentize", PYTHON_MODULE, "--python-path", ".", "--python-path"])
        .args([entry.write(directory)?])
        .args(["--output".as_ref(), output])
        // Where it looks for what else the requirements name.
        .env("VIRTUAL_ENV", &environment)
        .run()
        .map_err(|error| name_compiled_packages(error, &environment))?;
    made.remember()
}

/// Says which packages have code that is left out of a component: the interpreter in it only tells that it finds no such
/// module, of one that is installed.
fn name_compiled_packages(error: anyhow::Error, environment: &Path) -> anyhow::Error {
    let names = Vec::from_iter(compiled_packages::in_environment(environment)).join(", ");
    if names.is_empty() {
        return error;
    }
    error.context(format!(
        "{REQUIREMENTS} installs packages with compiled code, which no component can hold ({names}); \
         take packages in pure Python"
    ))
}

/// Makes the environment where it is not what the requirements ask for.
fn install(directory: &Path, environment: &Path) -> anyhow::Result<()> {
    let (requirements, mark) = (directory.join(REQUIREMENTS), environment.join(REQUIREMENTS));
    if is_installed(&requirements, &mark)? {
        return Ok(());
    }
    note(format_args!("installing {REQUIREMENTS} into {}", environment.display()));
    let made = Tool::new("python3", directory, &PACKAGES).args(["-m", "venv", "--clear", ENVIRONMENT]).run();
    if let Err(error) = made {
        if works("python3", &["-c", "pass"]) && !works("python3", &["-c", "import ensurepip, venv"]) {
            bail!("python3 lacks its modules venv and ensurepip: {PACKAGES}");
        }
        return Err(error).context("making a virtual environment");
    }
    Tool::new(environment.join("bin/pip"), directory, &PACKAGES)
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS])
        .run()
        .context("installing what a guest in Python is built with")?;
    mark_installed(&requirements, &mark)
}

/// What is installed in the environment, with versions. None where some of it is used from the folder that its author works in,
/// whose changes show in no version.
fn installed(environment: &Path) -> Option<String> {
    let libraries = std::fs::read_dir(environment.join("lib")).ok()?.flatten();
    let packages = libraries.flat_map(|library| std::fs::read_dir(library.path().join("site-packages")));
    let mut names = Vec::new();
    for package in packages.flat_map(|packages| packages.flatten()) {
        let name = package.file_name().to_string_lossy().into_owned();
        if name.ends_with(".dist-info") {
            let origin = std::fs::read_to_string(package.path().join("direct_url.json")).unwrap_or_default();
            if origin.contains("\"editable\"") {
                return None;
            }
            names.push(name);
        }
    }
    names.sort();
    Some(names.join("\n"))
}
