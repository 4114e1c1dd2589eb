//! One process for all messages: each is a line of its stdin, and each answer a line of its stdout.

use super::group::{Group, ended_with};
use super::once::{over_deadline, too_long};
use super::{CommandSettings, END_WAIT};
use crate::messaging::socket::{Frames, escape_for_log};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// A program that runs, and has been asked for nothing that it has not answered.
pub(super) struct Program {
    settings: CommandSettings,
    group: Group,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    /// Starts it. Its stderr is the worker's: it runs for long, and what it says is wanted when it says it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(settings: &CommandSettings) -> Result<Self, String> {
        let mut command = Command::new(&settings.program);
        command.args(&settings.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut group = Group::start(&mut command).map_err(|error| format!("it cannot be started: {error}"))?;
        let (Some(stdin), Some(stdout), _) = group.pipes() else { return Err("it has no pipes".to_owned()) };
        Ok(Self { settings: settings.clone(), group, stdin, stdout: BufReader::new(stdout) })
    }

    /// Waits until it does something while nothing is asked of it, which it is not to; says what.
    pub(super) async fn ends_or_speaks_unasked(&mut self) -> String {
        match self.stdout.fill_buf().await {
            Ok([]) => self.end_of_pipes().await,
            Ok(said) => unasked(said),
            Err(error) => format!("reading its stdout: {error}"),
        }
    }

    /// Gives it the message's last frame, and takes the answer.
    ///
    /// # Errors
    /// When the message is no line, and when there is no answer within the bounds; what runs then is of no more use.
    pub(super) async fn answer(&mut self, message: &Frames) -> Result<Vec<u8>, String> {
        let body = message.last().map_or(&[][..], Vec::as_slice);
        if body.contains(&b'\n') {
            return Err("the message has more than one line, which --lines cannot pass on".to_owned());
        }
        if !self.stdout.buffer().is_empty() {
            return Err(unasked(self.stdout.buffer()));
        }
        let deadline = self.settings.deadline;
        timeout(deadline, self.exchange(body)).await.unwrap_or_else(|_| Err(over_deadline(&self.settings)))
    }

    /// Lets it end by itself, now that nothing is asked of it any more.
    pub(super) async fn end(mut self) {
        drop(self.stdin);
        let _ = self.group.wait().await;
    }

    async fn exchange(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        let line = [body, b"\n"].concat();
        // None says that there is nothing more to come from it.
        let write = async { self.stdin.write_all(&line).await.map_err(|_| None) };
        let read =
            async { read_line(&mut self.stdout, self.settings.answer_bytes_max).await.map_err(Some)?.ok_or(None) };
        // Both at once: a program that answers while it reads would wait for us, and we for it.
        match tokio::try_join!(write, read) {
            Ok(((), answer)) => Ok(answer),
            Err(Some(why)) => Err(why),
            Err(None) => Err(self.end_of_pipes().await),
        }
    }

    /// How it ended, if its end is why nothing more is to come from it.
    async fn end_of_pipes(&mut self) -> String {
        match timeout(END_WAIT, self.group.wait()).await {
            Ok(Ok(status)) => ended_with(status),
            Ok(Err(error)) => format!("waiting for it: {error}"),
            Err(_) => "it has closed its stdin or its stdout, and is killed".to_owned(),
        }
    }
}

fn unasked(said: &[u8]) -> String {
    format!(
        "it says `{}` before it is asked: with --lines it is to write one line for each one that it reads",
        escape_for_log(said)
    )
}

/// The next line, without its end; none if there is no whole one any more.
///
/// # Errors
/// When it is too long, or cannot be read.
async fn read_line(stdout: &mut BufReader<ChildStdout>, bytes_max: usize) -> Result<Option<Vec<u8>>, String> {
    let mut line = Vec::new();
    loop {
        let piece = stdout.fill_buf().await.map_err(|error| format!("reading its stdout: {error}"))?;
        if piece.is_empty() {
            return Ok(None);
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(piece.len());
        line.extend_from_slice(&piece[..taken]);
        stdout.consume(taken + usize::from(end.is_some()));
        if line.len() > bytes_max {
            return Err(too_long(bytes_max));
        }
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}
