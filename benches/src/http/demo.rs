//! The demo that Tidegate replaces, with its faults fixed: Flask and pyzmq, on Flask's own server and on gunicorn.

use super::contender::{Contender, Running, Server, free_address};
use crate::host;
use crate::tap::Tap;
use anyhow::{Result, ensure};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

pub const FLASK: &str = "demo in Python, Flask's own server";
pub const GUNICORN: &str = "demo in Python, gunicorn 2 × 8";

/// The two contenders, or the reason why they cannot take part.
pub fn contenders(python: &Path) -> Result<Vec<Contender>, String> {
    let imports = Command::new(python).args(["-c", "import flask, zmq, gunicorn"]).stderr(Stdio::null()).status();
    if !imports.is_ok_and(|status| status.success()) {
        return Err(format!(
            "demo in Python: {} lacks a package: pip install flask pyzmq gunicorn, and name the interpreter that has \
             them with --python",
            python.display()
        ));
    }
    let flask = {
        let python = python.to_owned();
        move || {
            start(|address| {
                let mut command = Command::new(&python);
                command.arg("demo.py").env("PORT", address.port().to_string());
                command
            })
        }
    };
    let gunicorn = {
        let python = python.to_owned();
        move || {
            start(|address| {
                let mut command = Command::new(&python);
                command.args(["-m", "gunicorn", "--workers=2", "--threads=8", "--log-level=error"]);
                command.arg(format!("--bind={address}")).arg("demo:app");
                command
            })
        }
    };
    Ok(vec![Contender::new(FLASK, flask), Contender::new(GUNICORN, gunicorn)])
}

fn start(command: impl Fn(SocketAddr) -> Command) -> Result<Running> {
    let directory = host::root().join("benches/contenders/demo");
    ensure!(directory.join("demo.py").is_file(), "{} holds no demo.py", directory.display());
    let (address, tap) = (free_address()?, Tap::bound()?);
    let mut command = command(address);
    command.current_dir(directory).env("PUBLISH", &tap.endpoint).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(Running { address, tap: Some(tap), server: Server::start(&mut command)? })
}
