//! Examples: what a plugin's author promises of it, carried in the component and held to before it may serve.
//!
//! They stand in the guest crate's `examples.toml`; `plugin build` puts the file into a custom section as it is.

pub(in crate::plugin) mod carried;
pub(crate) mod difference;
mod http_handler;
mod processor;
pub(super) mod promised;
mod reply_policy;
mod transform;
pub(crate) mod written_example;

use super::busy_retry::retry_while_busy;
use crate::config::{EXAMPLES_MAX, EXAMPLES_MS_MAX};
use crate::plugin::call::{CallError, CallNumber};
use crate::plugin::roles::loaded::Plugin;
use crate::plugin::roles::role::Role;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use difference::difference;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_handler::OfHandler;
use processor::OfProcessor;
use reply_policy::OfReplyPolicy;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use transform::OfTransform;

/// The custom section of a component that holds its examples.
pub const SECTION: &str = "tidegate:examples";

/// The examples of one component.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Examples {
    processor: Vec<Example<OfProcessor>>,
    transform: Vec<Example<OfTransform>>,
    reply_policy: Vec<Example<OfReplyPolicy>>,
    http_handler: Vec<Example<OfHandler>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "")]
struct Example<E: Exemplary> {
    name: Option<String>,
    input: E::Input,
    expect: E::Expected,
}

/// A kind of examples: the role that they call, and how they are written.
trait Exemplary {
    type Role: Role<In: Clone + Sync>;
    /// What the plugin is called with.
    type Input: DeserializeOwned + Send + Sync;
    /// What is promised of the end of the call. What is left out may be anything.
    type Expected: DeserializeOwned + Send + Sync;

    /// What the file calls it.
    const NAME: &str;

    fn input(plugin: &Plugin, written: &Self::Input) -> <Self::Role as Role>::In;

    /// The error that is promised, and a part of its text.
    fn error(expected: &Self::Expected) -> (Option<ErrorKind>, Option<&str>);

    /// How what came out differs from what is promised.
    fn compare(expected: &Self::Expected, output: <Self::Role as Role>::Out) -> Result<(), String>;
}

/// Text, or any bytes as `{ base64 = "…" }`.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Written")]
pub struct Content(Vec<u8>);

impl Content {
    /// Its bytes, whichever way it was written.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { base64: String },
}

impl TryFrom<Written> for Content {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Text(text) => Ok(Self(text.into_bytes())),
            Written::Bytes { base64 } => {
                BASE64.decode(&base64).map(Self).map_err(|error| format!("base64 `{base64}`: {error}"))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ErrorKind {
    Rejected,
    Failed,
}

/// One example and what came of it: nothing, or how the plugin differs.
pub struct Outcome {
    /// As the author called it, or its place in the file.
    pub name: String,
    /// Lines for people to read.
    pub difference: Option<String>,
    /// The host had too much to do to try it, which says nothing of the plugin; no example after it was tried.
    pub was_busy: bool,
}

/// Why an example failed.
struct Miss {
    difference: String,
    was_busy: bool,
}

impl From<String> for Miss {
    fn from(difference: String) -> Self {
        Self { difference, was_busy: false }
    }
}

impl Miss {
    /// Adds that a request of the plugin's own was refused, which may be why it differs.
    fn with_refused(mut self, refused: Option<String>) -> Self {
        if let Some(host) = refused {
            self.difference += &format!("\n   {}", no_network(&host));
        }
        self
    }
}

/// What is said of a request that a plugin sent to `host` where it is tried, and that was refused there.
pub fn no_network(host: &str) -> String {
    format!("its request to {host} was refused: there is no network where a plugin is tried")
}

impl Examples {
    /// Reads an `examples.toml`.
    ///
    /// # Errors
    /// Names the line and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, String> {
        let examples: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let count = examples.count();
        if count > EXAMPLES_MAX {
            return Err(format!("{count} examples are more than {EXAMPLES_MAX}"));
        }
        Ok(examples)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.processor.len() + self.transform.len() + self.reply_policy.len() + self.http_handler.len()
    }

    /// The names that they have.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        fn of<E: Exemplary>(examples: &[Example<E>]) -> impl Iterator<Item = &str> {
            examples.iter().filter_map(|example| example.name.as_deref())
        }
        of(&self.processor).chain(of(&self.transform)).chain(of(&self.reply_policy)).chain(of(&self.http_handler))
    }

    /// Tries the plugin on each, in order, under its own bounds. The last outcome may be that time ran out.
    pub async fn try_on(&self, plugin: &Arc<Plugin>) -> Vec<Outcome> {
        let deadline = Instant::now() + Duration::from_millis(EXAMPLES_MS_MAX);
        let was_busy = &AtomicBool::new(false);
        let mut outcomes = Vec::new();
        let tries = tries(&self.processor, plugin, was_busy)
            .chain(tries(&self.transform, plugin, was_busy))
            .chain(tries(&self.reply_policy, plugin, was_busy))
            .chain(tries(&self.http_handler, plugin, was_busy));
        for (name, tried) in tries {
            if Instant::now() > deadline {
                outcomes.push(Outcome::out_of_time(name, was_busy.load(Ordering::Relaxed)));
                break;
            }
            let outcome = Outcome::new(name, tried.await);
            let is_last = outcome.was_busy;
            outcomes.push(outcome);
            if is_last {
                break;
            }
        }
        outcomes
    }
}

/// The examples of a kind: the name of each, and what comes of it.
fn tries<'a, E: Exemplary>(
    examples: &'a [Example<E>],
    plugin: &'a Arc<Plugin>,
    was_busy: &'a AtomicBool,
) -> impl Iterator<Item = (String, BoxFuture<'a, Result<(), Miss>>)> {
    examples.iter().zip(1..).map(move |(example, number)| {
        let name = example.name.clone().unwrap_or_else(|| format!("{} {number}", E::NAME));
        (name, example.try_on(plugin, CallNumber::Load(number), was_busy).boxed())
    })
}

impl Outcome {
    fn new(name: String, tried: Result<(), Miss>) -> Self {
        let (difference, was_busy) = tried.err().map(|miss| (miss.difference, miss.was_busy)).unzip();
        Self { name, difference, was_busy: was_busy.unwrap_or(false) }
    }

    /// `was_busy` is whether the host was too busy for an earlier try: then it was the host that used up the time.
    fn out_of_time(name: String, was_busy: bool) -> Self {
        let difference = format!("not tried: all examples together took longer than {EXAMPLES_MS_MAX} ms");
        Self { name, difference: Some(difference), was_busy }
    }
}

impl<E: Exemplary> Example<E> {
    async fn try_on(&self, plugin: &Arc<Plugin>, number: CallNumber, was_busy: &AtomicBool) -> Result<(), Miss> {
        let input = E::input(plugin, &self.input);
        let call = || plugin.call::<E::Role>(input.clone(), number, Arc::default(), ());
        plugin.take_refused_request();
        let ended = retry_while_busy(call, was_busy).await;
        let refused = plugin.take_refused_request();
        let compared = match expected_end(ended, E::error(&self.expect)) {
            Ok(Some(output)) => E::compare(&self.expect, output).map_err(Miss::from),
            Ok(None) => Ok(()),
            Err(miss) => Err(miss),
        };
        compared.map_err(|miss| miss.with_refused(refused))
    }
}

/// What was returned, or none if an error was expected and came.
fn expected_end<T>(
    ended: Result<T, CallError>,
    (error, contains): (Option<ErrorKind>, Option<&str>),
) -> Result<Option<T>, Miss> {
    let (kind, text) = match ended {
        Ok(returned) => {
            return match error {
                Some(error) => {
                    Err(difference("the end of the call", format!("the error {error:?}"), "an answer").into())
                }
                None => Ok(Some(returned)),
            };
        }
        Err(CallError::Rejected(text)) => (ErrorKind::Rejected, text),
        Err(CallError::Failed(text)) => (ErrorKind::Failed, text),
        Err(busy) if busy.is_too_busy() => return Err(Miss { difference: busy.to_string(), was_busy: true }),
        Err(breakdown) => {
            let expected = error.map_or("an answer".to_owned(), |error| format!("{error:?}"));
            return Err(difference("the end of the call", expected, breakdown).into());
        }
    };
    if error != Some(kind) {
        let expected = error.map_or("an answer".to_owned(), |error| format!("{error:?}"));
        return Err(difference("the end of the call", expected, format!("{kind:?}: {text:?}")).into());
    }
    match contains {
        Some(part) if !text.contains(part) => {
            Err(difference("the error's text", format!("something with {part:?}"), format!("{text:?}")).into())
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_in_the_file_is_named() {
        let slip = |text| Examples::parse(text).err().unwrap();
        for (text, named) in [
            ("[[transform]]\ninput.body = 'a'\nexpect.bdy = 'b'", "bdy"),
            ("[[transform]]\nexpect.body = 'b'", "input"),
            ("[[policy]]", "policy"),
            ("[[processor]]\ninput.frame = ['a']\nexpect.messages = []", "frame"),
            ("[[processor]]\ninput.frames = []\nexpect.messages = []", "frames"),
            ("[[processor]]\ninput.frames = ['a']\nexpect.messages = [{ frame = 'a' }]", "frame"),
        ] {
            let error = slip(text);
            assert!(error.contains(named), "{named} is not in: {error}");
        }
        let base64 = slip("[[transform]]\ninput.body = { base64 = '?' }\nexpect.body = 'b'");
        assert!(base64.contains("line 2") && base64.contains("base64 `?`: "), "{base64}");
        assert_eq!(Examples::parse("").unwrap().count(), 0);
    }
}
