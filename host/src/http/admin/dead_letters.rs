//! Dead letters on the admin surface: they are listed, looked at, and their calls made again.

mod choice;

use super::call::{Output, component, served, with_generation};
use super::flows;
use super::{JSON, json, with_type};
use crate::config::{ADMIN_LETTERS_BYTES_MAX, ADMIN_LETTERS_READS_MAX};
use crate::flow::{self, Surface, Surfaces};
use crate::http::problem::Problem;
use crate::http::route::{Ran, RouteTable};
use crate::plugin::{CallNumber, Processor, ReplyPolicy, Role, Slots};
use crate::record::dead_letters::{DeadLetters, Input, Letter, Mark, Marks, Replay, ReplayLock, letters, page};
use choice::{Choice, choice};
use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use warp::reply::Response;

/// What is needed to make the call of a letter again.
pub struct LetterParts {
    /// The file, and its writer.
    pub dead_letters: DeadLetters,
    /// The routes that messages go through again.
    pub routes: Arc<RouteTable>,
    /// Of which the flows take messages in again.
    pub surfaces: Surfaces,
}

/// The letters of the host.
pub(super) struct Letters {
    parts: LetterParts,
    slots: Arc<Slots>,
    /// Each reads all files.
    reads: Arc<Semaphore>,
    /// The ids of letters whose calls are being made again.
    replaying: Mutex<HashSet<String>>,
}

impl Letters {
    pub(super) fn new(parts: LetterParts, slots: Arc<Slots>) -> Self {
        let reads = Arc::new(Semaphore::new(ADMIN_LETTERS_READS_MAX));
        Self { parts, slots, reads, replaying: Mutex::default() }
    }

    /// A page of the list.
    ///
    /// # Errors
    /// When the query makes no sense, there is no file, or it cannot be read.
    pub(super) async fn list(&self, query: &str) -> Result<Response, Problem> {
        let Choice { filter, order, cursor, limit } = choice(query)?;
        let page = self.read(move |file| page(file, &filter, order, cursor.as_ref(), limit)).await?;
        // A host in which nothing failed has written no file.
        json(&page.unwrap_or_default())
    }

    /// All letters of one request.
    ///
    /// # Errors
    /// When there is none, or they are more than an answer takes.
    pub(super) async fn show(&self, id: String) -> Result<Response, Problem> {
        let (letters, _) = self.of(&id).await?;
        let text = serde_json::to_vec(&letters).map_err(|error| {
            tracing::error!(%error, "writing an answer");
            Problem::Host
        })?;
        Ok(with_type(text, JSON))
    }

    /// Makes the call of a letter again, under its own id, as a new message of its hop; what comes of a message is
    /// published. With `again` also one that was or may have been sent.
    ///
    /// A failure leaves the letter as it was, and makes no further one.
    ///
    /// # Errors
    /// When there is no such letter or call, it was dealt with, it cannot be marked, or the call fails.
    pub(super) async fn replay(&self, id: String, query: &str) -> Result<Response, Problem> {
        let again = match query {
            "" | "again=false" => false,
            "again=true" => true,
            _ => {
                return Err(Problem::Malformed(
                    "the query takes again=true or again=false, or with=component, and nothing else".to_owned(),
                ));
            }
        };
        let file = self.file()?.to_owned();
        let _lock = lock(&file)?;
        let _turn = self.turn(&id)?;
        let (letters, replay) = self.of(&id).await?;
        let letter = call_of(&id, letters)?;
        let before = match replay.filter(|_| !again) {
            Some(Replay::Begun) => "a replay ended while it sent this letter, so it may have arrived",
            Some(Replay::Sent) => "a replay has sent this letter",
            Some(Replay::Repeat) => "it repeats the letter of a replay that failed, which stands for it",
            Some(Replay::Failed) | None => "",
        };
        if !before.is_empty() {
            return Err(Problem::NotReplayed(format!(
                "{before}: ask with again=true, or --again, if it is to be sent again"
            )));
        }
        if letter.flow().is_some() && matches!(letter.input, Input::Request { .. }) {
            return Err(Problem::NotReplayed(format!(
                "{id} is a request of the frontend that a flow failed at: its client waits no more, and would get no reply; \
                 have it ask again"
            )));
        }
        let flow = self.flow(&letter)?;
        if flow.is_none() && self.parts.routes.find(&letter.route).is_err() {
            return Err(Problem::NoPlugin(letter.route));
        }
        self.mark(Replay::Begun, &id)
            .await
            .map_err(|cause| Problem::NotReplayed(format!("{id} cannot be marked, and was not sent: {cause}")))?;
        let called = match flow {
            Some(flow) => take_in(&*flow, letter),
            None => self.call(letter).await,
        };
        let succeeded = called.as_ref().is_ok_and(|response| response.status().is_success());
        let replay = if succeeded { Replay::Sent } else { Replay::Failed };
        if let Err(cause) = self.mark(replay, &id).await {
            tracing::warn!(id, cause, "a letter was replayed, and is not marked so");
        }
        called
    }

    /// The letter whose call is to be made in a component that serves nobody, and how large that may be.
    ///
    /// # Errors
    /// When there is no such letter or call.
    pub(super) async fn of_call(&self, id: &str) -> Result<(Letter, String, usize), Problem> {
        let letter = call_of(id, self.of(id).await?.0)?;
        let plugin = component::plugin_of(&letter)?;
        let bytes_max = usize::try_from(self.slots.component_bytes_max(&plugin)).unwrap_or(usize::MAX);
        Ok((letter, plugin, bytes_max))
    }

    /// Makes the call of a letter in a component that serves nobody.
    ///
    /// # Errors
    /// When the component is refused, or the call fails.
    pub(super) async fn try_with(&self, letter: Letter, plugin: String, bytes: Vec<u8>) -> Result<Response, Problem> {
        let is_request = matches!(letter.input, Input::Request { .. });
        component::answer(&self.slots, plugin, letter, is_request, bytes).await
    }

    /// The flow that a letter is of; none if it is of a route.
    ///
    /// # Errors
    /// When there is no such flow any more.
    fn flow(&self, letter: &Letter) -> Result<Option<Arc<dyn Surface>>, Problem> {
        let Some(name) = letter.flow() else { return Ok(None) };
        flows::find(&self.parts.surfaces, name).map(Some).ok_or_else(|| Problem::NoFlow(name.to_owned()))
    }

    async fn call(&self, letter: Letter) -> Result<Response, Problem> {
        let is_request = matches!(letter.input, Input::Request { .. });
        let Some(message) = letter.input.into_message() else { return Err(Problem::Host) };
        if is_request {
            let slot = self.slots.get(&letter.route).ok_or(Problem::NoPlugin(letter.route))?;
            let (input, number) = (slot.input::<ReplyPolicy>(message), CallNumber::Message(letter.number));
            return with_generation(slot.call::<ReplyPolicy>(input, &letter.id, number).await, Output::replied);
        }
        let route = self.parts.routes.find(&letter.route)?;
        let Ran { met, result, .. } = route.run(&self.parts.routes, message).await;
        let outputs = match result {
            Ok((outputs, passage)) => {
                let messages: Vec<_> = outputs.iter().map(|output| output.message.clone()).collect();
                route.send(&messages, passage).await.map(|()| outputs)
            }
            Err(flow::Failed { failure, .. }) => Err(Problem::Failed(failure)),
        };
        let contract = route.last().slot().and_then(|slot| slot.contract_of(Processor::NAME));
        served(met.last().map(|by| &**by), outputs, |outputs| Output::processed(contract, outputs), None)
    }

    async fn mark(&self, replay: Replay, id: &str) -> Result<(), String> {
        self.parts.dead_letters.mark(Mark::now(replay, id)).await
    }

    /// The letters of a request, and how far their last replay got.
    async fn of(&self, id: &str) -> Result<(Vec<Letter>, Option<Replay>), Problem> {
        let wanted = id.to_owned();
        let found = self.read(move |file| {
            let replay = Marks::read(file)?.of(&wanted);
            let (mut found, mut bytes) = (Vec::new(), 0_usize);
            letters(
                file,
                |id| id == wanted,
                |_| {},
                |letter| {
                    bytes = bytes.saturating_add(letter.bytes());
                    if bytes <= ADMIN_LETTERS_BYTES_MAX {
                        found.push(letter);
                    }
                },
            )?;
            Ok((found, replay, bytes))
        });
        match found.await? {
            Some((_, _, bytes)) if bytes > ADMIN_LETTERS_BYTES_MAX => Err(Problem::NotReplayed(format!(
                "the letters of {id} are larger than {ADMIN_LETTERS_BYTES_MAX} bytes: `tidegate dead-letters` reads them \
                 from the file"
            ))),
            Some((letters, replay, _)) if !letters.is_empty() => Ok((letters, replay)),
            _ => Err(Problem::NoLetter(id.to_owned())),
        }
    }

    /// Reads the file on a thread that carries no traffic; none where there is no file.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<Option<T>, Problem> {
        let file: PathBuf = self.file()?.to_owned();
        let permit = Arc::clone(&self.reads).try_acquire_owned().map_err(|_| Problem::LettersBusy)?;
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&file)
        });
        match reading.await.map_err(|_| Problem::Host)? {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => {
                tracing::error!(%error, "dead letters cannot be read");
                Err(Problem::Host)
            }
        }
    }

    fn file(&self) -> Result<&Path, Problem> {
        self.parts.dead_letters.file().ok_or(Problem::NoLetters)
    }

    /// Takes the letter for itself until what is returned is dropped.
    fn turn(&self, id: &str) -> Result<impl Drop, Problem> {
        struct Turn<'a>(&'a Letters, String);
        impl Drop for Turn<'_> {
            fn drop(&mut self) {
                self.0.replaying.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
            }
        }
        let mut replaying = self.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        if replaying.insert(id.to_owned()) {
            return Ok(Turn(self, id.to_owned()));
        }
        Err(Problem::NotReplayed(format!("{id} is being replayed by somebody else")))
    }
}

/// The letter of a call. Of several the newest: an id is of one call alone, but a file may have been put together.
fn call_of(id: &str, letters: Vec<Letter>) -> Result<Letter, Problem> {
    letters.into_iter().rfind(Letter::is_call).ok_or_else(|| {
        Problem::NotReplayed(format!(
            "{id} is the id of replies that could not be sent: they have no call to make again"
        ))
    })
}

/// Has the flow that failed at a message take it in again. What comes of it then shows in the flow.
fn take_in(flow: &dyn Surface, letter: Letter) -> Result<Response, Problem> {
    let Some(message) = letter.input.into_message() else { return Err(Problem::Host) };
    let name = flow.name();
    match flow.take_in(message) {
        Ok(()) => json(&serde_json::json!({ "flow": name })),
        Err(_) => Err(Problem::NotReplayed(format!(
            "the flow {name} takes nothing in now, since it is paused, has no room, or ends: try again later"
        ))),
    }
}

fn lock(file: &Path) -> Result<ReplayLock, Problem> {
    ReplayLock::shared(file).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => Problem::NotReplayed(
            "`tidegate dead-letters replay --all` is at work on the file: wait for its end".to_owned(),
        ),
        ErrorKind::NotFound => Problem::NoLetters,
        _ => {
            tracing::error!(%error, "dead letters cannot be read");
            Problem::Host
        }
    })
}
