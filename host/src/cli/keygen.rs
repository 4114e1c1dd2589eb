//! `tidegate keygen`: a CURVE key pair in a directory, for a host or for a client.

use crate::messaging::curve::key::KeyPair;
use crate::system::output::print;
use anyhow::{Context, anyhow, bail};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make a CURVE key pair: DIR/secret.key, which stays here, and DIR/public.key, which others may have.
///
/// A host takes the secret key with --curve-secret-key, `subscribe` and `request` with --key. Nothing is overwritten.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory for the two files; it is made if needed
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes the pair and says what to do with it.
///
/// # Errors
/// When one of the files exists already, no pair can be made, or a file cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let directory = args.directory;
    let (secret_file, public_file) = (directory.join("secret.key"), directory.join("public.key"));
    for file in [&secret_file, &public_file] {
        if file.symlink_metadata().is_ok() {
            bail!("{} exists: name another directory, or remove it if nobody needs it any more", file.display());
        }
    }
    let pair = KeyPair::generate().map_err(|cause| anyhow!("making a key pair: {cause}"))?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("making the directory {}", directory.display()))?;
    write(&secret_file, &pair.secret, 0o600)?;
    if let Err(error) = write(&public_file, &pair.public, 0o644) {
        // Half a pair would stand in the way of the next try.
        let _ = fs::remove_file(&secret_file);
        return Err(error);
    }
    let public = pair.public;
    let (secret_file, public_file) = (secret_file.display(), public_file.display());
    print(format!(
        "public key: {public}\n\
         of a host:   tidegate --curve-secret-key {secret_file} --curve-authorized-keys DIR\n             \
         and its clients take --server-key '{public}'\n\
         of a client: tidegate subscribe|request --server-key KEY --key {secret_file}\n             \
         once the host has {public_file} as a file in its directory of authorized keys\n"
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A new file with one line, readable for whom `mode` says from the beginning.
fn write(path: &Path, line: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("making {}", path.display()))?;
    let written = writeln!(file, "{line}").and_then(|()| file.sync_all());
    written.inspect_err(|_| drop(fs::remove_file(path))).with_context(|| format!("writing {}", path.display()))
}
