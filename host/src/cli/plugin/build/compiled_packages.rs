//! The packages of a virtual environment whose code is compiled for this machine, which no component can hold.

use std::collections::BTreeSet;
use std::path::Path;
use walkdir::WalkDir;

/// What is in every environment and does not go into a component.
const TOOLS: [&str; 2] = ["componentize_py", "pip"];
/// How a package's copies of the libraries that it links end.
const LIBRARIES: &str = ".libs";

/// Their names, as they are imported.
pub(super) fn in_environment(environment: &Path) -> BTreeSet<String> {
    let libraries = environment.join("lib");
    let compiled = |path: &Path| path.extension().is_some_and(|extension| extension == "so");
    WalkDir::new(&libraries)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| compiled(entry.path()))
        .filter_map(|entry| {
            // Behind pythonX.Y/site-packages.
            let path = entry.path().strip_prefix(&libraries).ok()?;
            let package = path.iter().nth(2)?.to_str()?;
            let name = package.split('.').next()?;
            (!package.ends_with(LIBRARIES) && !TOOLS.contains(&name)).then(|| name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_with_compiled_code_are_told_from_those_in_python() {
        let environment = tempfile::tempdir().unwrap();
        let packages = environment.path().join("lib/python3.11/site-packages");
        for file in [
            "componentize_py/__init__.abi3.so",
            "pip/__init__.py",
            "humanize/__init__.py",
            "ujson.cpython-311-x86_64-linux-gnu.so",
            "ujson-5.13.0.dist-info/RECORD",
            "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so",
            "numpy/linalg/_umath_linalg.cpython-311-x86_64-linux-gnu.so",
            "scipy_openblas64.libs/libgfortran.so",
        ] {
            let path = packages.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        assert_eq!(Vec::from_iter(in_environment(environment.path())), ["numpy", "ujson"]);
    }

    #[test]
    fn an_environment_that_is_not_there_has_none() {
        assert!(in_environment(Path::new("no such environment")).is_empty());
    }
}
