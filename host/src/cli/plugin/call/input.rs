//! What goes into a call, as the command line says it.

use super::Role;
use crate::flow::{Message, Metadata};
use crate::plugin::WrittenRequest;
use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use std::io::Read;
use std::path::PathBuf;

/// Who asks: a call from the command line is no client's.
const IDENTITY: &[u8] = b"call";
/// The parameter that HTTP takes for the message, in either spelling.
const PARAMETERS: [&str; 2] = ["param", "Param"];

/// The flags that make a body, and no frames.
const NO_FRAMES: [&str; 5] = ["input", "body", "body_file", "stdin", "params"];

/// The flags that say what goes in.
#[derive(Debug, Args)]
pub(in crate::cli) struct Given {
    /// The message's or HTTP request's body, or the frames of the broker's request; - reads standard input
    input: Vec<String>,
    /// The body, as INPUT is
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["input", "stdin", "body_file"])]
    body: Option<String>,
    /// Read the body, or the one frame of the request, from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "stdin"])]
    body_file: Option<PathBuf>,
    /// Read the body, or the one frame of the request, from standard input
    #[arg(long, conflicts_with = "input")]
    stdin: bool,
    /// A pair of the query, which becomes the metadata query.K. Without a body, param=V is the message, as with a GET.
    /// Repeatable
    #[arg(long = "param", value_name = "K=V", value_parser = pair)]
    params: Vec<(String, String)>,
    /// A frame of the message or of the broker's request, in place of INPUT. Repeatable
    #[arg(long = "frame", value_name = "TEXT", conflicts_with_all = NO_FRAMES)]
    frames: Vec<String>,
    /// A frame that is read from a file; those of --frame come before it. Repeatable
    #[arg(long = "frame-file", value_name = "FILE", conflicts_with_all = NO_FRAMES)]
    frame_files: Vec<PathBuf>,
    /// With a processor: the topic of the message, a frame before its body
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["frames", "frame_files"])]
    topic: Option<String>,
    /// With a processor or a policy: a pair of the metadata. Repeatable
    #[arg(long = "metadata", value_name = "K=V", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// With an http-handler: the method of its request [default: GET, or with a body POST]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// With an http-handler: the path below its mount, and the query [default: /]
    #[arg(long)]
    path: Option<String>,
    /// With an http-handler: a header of its request. Repeatable
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
}

impl Given {
    /// The role that it can only be for, if there is one.
    pub(super) fn role(&self) -> Option<Role> {
        if self.is_of_http() {
            return Some(Role::HttpHandler);
        }
        self.topic.is_some().then_some(Role::Processor)
    }

    /// Whether frames were given, which are for a reply policy where the plugin has one.
    pub(super) fn has_frames(&self) -> bool {
        !self.frames.is_empty() || !self.frame_files.is_empty()
    }

    fn is_of_http(&self) -> bool {
        self.method.is_some() || self.path.is_some() || !self.headers.is_empty()
    }

    fn ensure_no_http(&self) -> anyhow::Result<()> {
        ensure!(!self.is_of_http(), "--method, --path and --header are for an http-handler");
        Ok(())
    }

    /// What a processor is called with: as HTTP makes a message, of a query and perhaps a body, or of frames.
    ///
    /// # Errors
    /// When what was given is not one input, or cannot be read.
    pub(super) fn message(mut self) -> anyhow::Result<Message> {
        self.ensure_no_http()?;
        let mut metadata = std::mem::take(&mut self.metadata);
        if self.has_frames() {
            let frames = self.inputs()?.into_iter().map(Bytes::from).collect();
            return Ok(Message { metadata, frames, ..Message::default() });
        }
        let (mut pairs, topic) = (std::mem::take(&mut self.params), self.topic.take().unwrap_or_default());
        let mut inputs = self.inputs()?;
        let body = match (inputs.pop(), inputs.is_empty()) {
            (Some(body), true) => body,
            (Some(_), false) => {
                bail!("a processor takes one input: give one, --frame TEXT for each of several frames, or say --policy")
            }
            (None, _) => parameter(&mut pairs)?,
        };
        metadata.extend(pairs.into_iter().map(|(name, value)| (format!("query.{name}"), value)));
        Ok(Message::of_topic(topic, metadata, body))
    }

    /// What a reply policy is called with; the first frame is who asks.
    ///
    /// # Errors
    /// When what was given is for a message, or cannot be read.
    pub(super) fn request(mut self) -> anyhow::Result<Message> {
        self.ensure_no_http()?;
        if !self.params.is_empty() {
            bail!("a request of the broker has no query: --param is for a processor");
        }
        ensure!(self.topic.is_none(), "a request of the broker has no topic: --topic is for a processor");
        let metadata = std::mem::take(&mut self.metadata);
        let frames = self.inputs()?;
        if frames.is_empty() {
            bail!("a request has at least one frame: give --frame TEXT, repeated for more, or --stdin");
        }
        let frames = std::iter::once(Bytes::from_static(IDENTITY)).chain(frames.into_iter().map(Bytes::from)).collect();
        Ok(Message { metadata, frames, ..Message::default() })
    }

    /// What a handler is called with.
    ///
    /// # Errors
    /// When what was given is for another role, or cannot be read.
    pub(super) fn http_request(mut self) -> anyhow::Result<WrittenRequest> {
        ensure!(self.params.is_empty(), "an http-handler has its query in --path: --param is for a processor");
        ensure!(
            self.topic.is_none() && self.metadata.is_empty(),
            "an http-handler takes --header, no --topic or --metadata"
        );
        ensure!(!self.has_frames(), "an http-handler takes a request of HTTP and no frames: say --policy for these");
        let (method, path, headers) = (self.method.take(), self.path.take(), std::mem::take(&mut self.headers));
        let mut inputs = self.inputs()?;
        let body = inputs.pop();
        ensure!(inputs.is_empty(), "a request of HTTP has one body: give one INPUT");
        Ok(WrittenRequest { method, path, headers, body })
    }

    fn inputs(self) -> anyhow::Result<Vec<Vec<u8>>> {
        if self.stdin {
            return Ok(vec![standard_input()?]);
        }
        let from = |file: PathBuf| std::fs::read(&file).with_context(|| format!("reading {}", file.display()));
        if let Some(file) = self.body_file {
            return Ok(vec![from(file)?]);
        }
        let literal = |text: String| Ok(text.into_bytes());
        let read = |text: String| if text == "-" { standard_input() } else { literal(text) };
        let literals = self.body.into_iter().chain(self.frames).map(literal);
        self.input.into_iter().map(read).chain(literals).chain(self.frame_files.into_iter().map(from)).collect()
    }
}

/// Takes the message out of a query's pairs.
fn parameter(pairs: &mut Metadata) -> anyhow::Result<Vec<u8>> {
    let is_message = |(name, _): &(String, String)| PARAMETERS.contains(&name.as_str());
    if pairs.iter().filter(|pair| is_message(pair)).count() > 1 {
        bail!("--param has more than one param; give one");
    }
    match pairs.iter().position(is_message) {
        Some(index) => Ok(pairs.remove(index).1.into_bytes()),
        None => bail!("nothing to call it with: give --body TEXT, --stdin or --param param=TEXT"),
    }
}

fn standard_input() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("reading standard input")?;
    Ok(bytes)
}

/// Reads `K=V`.
///
/// # Errors
/// When there is no `=` in it.
pub(in crate::cli::plugin) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is no K=V")),
    }
}

/// Reads `NAME: VALUE`.
///
/// # Errors
/// When there is no `:` in it.
fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) => Ok((name.to_owned(), value.trim().to_owned())),
        None => Err(format!("`{text}` is no NAME: VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        given: Given,
    }

    fn given(arguments: &[&str]) -> Given {
        Line::parse_from(std::iter::once(&"call").chain(arguments)).given
    }

    #[test]
    fn a_message_is_made_as_http_makes_it() {
        let of = |arguments: &[&str]| {
            let Message { metadata, frames, .. } = given(arguments).message().unwrap();
            let pairs: Vec<_> = metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let frames: Vec<_> = frames.iter().map(|frame| std::str::from_utf8(frame).unwrap()).collect();
            (frames.join("|"), pairs.join(" "))
        };
        let expect = |body: &str, pairs: &str| (body.to_owned(), pairs.to_owned());
        assert_eq!(
            of(&["--param", "a=1", "--param", "Param=X", "--param", "a=b=c"]),
            expect("X", "query.a=1 query.a=b=c")
        );
        assert_eq!(of(&["--body", "-", "--param", "param=X"]), expect("-", "query.param=X"));
        assert_eq!(of(&["text"]), expect("text", ""));
        assert_eq!(of(&["text", "--topic", "t", "--metadata", "a=b"]), expect("t|text", "a=b"));
        assert_eq!(of(&["--frame", "a", "--frame", "", "--metadata", "a=b"]), expect("a|", "a=b"));
        for (arguments, words) in [
            (&["--param", "a=1"][..], "nothing to call it with"),
            (&["--param", "param=1", "--param", "Param=2"], "more than one"),
            (&["a", "b"], "one input"),
        ] {
            let error = given(arguments).message().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_request_is_made_of_frames() {
        let of = |arguments: &[&str]| given(arguments).request().unwrap().frames.to_vec();
        assert_eq!(of(&["--frame", "a", "--frame", "-"]), ["call", "a", "-"]);
        assert_eq!(of(&["a", "b"]), ["call", "a", "b"]);
        assert!(given(&["a", "--topic", "t"]).request().unwrap_err().to_string().contains("no topic"));
        assert!(given(&[]).request().unwrap_err().to_string().contains("at least one frame"));
        assert!(given(&["a", "--param", "b=c"]).request().unwrap_err().to_string().contains("no query"));
    }
}
