//! `tidegate dead-letters fetch`: the letters of a stream of JetStream, in a file.

use crate::backbone::each_letter;
use crate::config::Nats;
use crate::system::output::print;
use anyhow::Context;
use clap::Args;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Letters hold the messages of clients.
const MODE: u32 = 0o600;

/// The flags of `dead-letters fetch`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Fetch {
    /// The servers of NATS, as nats.url has them
    #[arg(value_name = "URL")]
    url: String,
    /// The stream: that of the messages with `-dead-letters` behind it, unless the consumer says another
    #[arg(value_name = "STREAM")]
    stream: String,
    /// The file, which must not be there yet
    #[arg(short, long, value_name = "FILE", default_value = "dead-letters.jsonl")]
    output: PathBuf,
    /// A file with credentials of NATS, as nats.credentials_file
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// A file with the certificates of authorities, as nats.tls_ca
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
}

impl Fetch {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self { url, stream, output, credentials, tls_ca } = self;
        let nats = Nats { credentials_file: credentials, tls_ca, ..Nats::at(url).map_err(anyhow::Error::msg)? };
        let file = output.display();
        let opened = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&output);
        let mut lines = BufWriter::new(opened.with_context(|| format!("making {file}"))?);
        let runtime = tokio::runtime::Runtime::new().context("starting threads")?;
        let fetched = runtime.block_on(each_letter(&nats, &stream, |line| lines.write_all(line)));
        let count = fetched.map_err(anyhow::Error::msg).and_then(|count| {
            lines.flush().with_context(|| format!("writing {file}"))?;
            Ok(count)
        });
        let count = count.inspect_err(|_| {
            // What is not whole is not to be taken for all.
            let _ = std::fs::remove_file(&output);
        })?;
        print(format!("fetched {count} dead letters of {stream} into {file}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}
