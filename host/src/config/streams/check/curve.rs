//! Whether a socket can play the role in CURVE that is said of it, and only one.

use crate::config::Config;
use crate::config::document::Mistake;
use crate::config::streams::{CurveRole, Socket};

/// A socket has one role for all its endpoints: libzmq asks who it is once.
pub(super) fn check(config: &Config, name: &str, socket: &Socket) -> Result<(), Mistake> {
    let refuse = |key, what: &str| Err(Mistake::of("sockets", name, what.to_owned()).at(key));
    let has_host_key = config.curve.secret_key_file.is_some();
    let Socket { bind, connect, curve, server_key, .. } = socket;
    if server_key.is_some() {
        if *curve == Some(true) {
            return refuse("curve", "the socket has a `server_key`, so it is a client: leave out one of the two");
        }
        if connect.is_empty() {
            return refuse("server_key", "the socket connects to nobody: leave it out, or say where it connects");
        }
        if !bind.is_empty() {
            return refuse("server_key", "a client by CURVE cannot bind: give what it binds to a socket of its own");
        }
        if !has_host_key {
            return refuse(
                "server_key",
                "a client by CURVE shows the host's key, and curve.secret_key_file is not set: set it and \
                 curve.authorized_keys_dir (`tidegate keygen` makes the key)",
            );
        }
    }
    if *curve == Some(true) {
        if !has_host_key {
            return refuse(
                "curve",
                "curve.secret_key_file is not set: set it and curve.authorized_keys_dir (`tidegate keygen` makes the key)",
            );
        }
        if bind.is_empty() {
            return refuse(
                "curve",
                "the socket binds nowhere, so nobody can show it a key: say `server_key` to be a client",
            );
        }
    }
    if config.curve_role_of(name) == CurveRole::Server && !connect.is_empty() {
        return refuse(
            "connect",
            "the socket asks its peers for keys where it binds, and could connect to nobody: give what it connects to a \
             socket of its own, or say curve = false",
        );
    }
    Ok(())
}
