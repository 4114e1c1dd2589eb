//! Contenders in Python, from `contenders/`, which take part if the interpreter has the modules that they need.

use crate::host;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether this Python can import the module; if not, the error says what to do.
pub fn check(python: &Path, module: &str) -> Result<(), String> {
    let import = Command::new(python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    match import {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!(
            "{} lacks it: pip install pyzmq in a venv, and name its Python with --python",
            python.display()
        )),
        Err(error) => Err(format!("starting {}: {error}", python.display())),
    }
}

/// The command that runs a script of `contenders/`.
pub fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(host::root().join("benches/contenders").join(name));
    command
}
