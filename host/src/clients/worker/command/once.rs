//! One process for one message: its stdin is the message, its stdout the answer.

use super::CommandSettings;
use super::group::{Group, ended_with};
use crate::messaging::socket::Frames;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How much of the end of stderr is told.
const STDERR_BYTES_MAX: usize = 2_000;
/// How long that is waited for, once the process has failed: what it started may have its stderr still.
const STDERR_WAIT: Duration = Duration::from_millis(200);
/// Frames that a process finds in its environment, and the bytes of one and of all. Beyond some of its own bounds a system
/// starts no process.
const ENVIRONMENT_FRAMES_MAX: usize = 100;
const ENVIRONMENT_FRAME_BYTES_MAX: usize = 64 << 10;
const ENVIRONMENT_BYTES_MAX: usize = 256 << 10;

/// Runs the command with the message's last frame as its stdin.
///
/// # Errors
/// When it cannot be started, does not end well, or is over one of its bounds; says so, with the end of its stderr.
pub(super) async fn answer(settings: &CommandSettings, message: &Frames) -> Result<Vec<u8>, String> {
    let mut command = Command::new(&settings.program);
    command.args(&settings.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (body, before) = message.split_last().map_or((&[][..], &[][..]), |(body, before)| (body.as_slice(), before));
    command.envs(environment(before));
    let mut group = Group::start(&mut command).map_err(|error| format!("it cannot be started: {error}"))?;
    let (Some(stdin), Some(stdout), Some(stderr)) = group.pipes() else { return Err("it has no pipes".to_owned()) };
    let said = Said::listen(stderr);
    let work = async {
        let write = async {
            let mut stdin = stdin;
            // A command need not read its stdin.
            let _ = stdin.write_all(body).await;
            Ok(())
        };
        let read = read_bounded(stdout, settings.answer_bytes_max);
        // Both at once: a command that answers while it reads would wait for us, and we for it.
        let ((), answer) = tokio::try_join!(write, read)?;
        let status = group.wait().await.map_err(|error| format!("waiting for it: {error}"))?;
        if status.success() { Ok(answer) } else { Err(ended_with(status)) }
    };
    let outcome = timeout(settings.deadline, work).await.unwrap_or_else(|_| Err(over_deadline(settings)));
    // What has not ended is killed, so that its stderr ends.
    drop(group);
    match outcome {
        Ok(answer) => Ok(answer),
        Err(why) => Err(why + &said.end().await),
    }
}

/// What is said of a command that takes too long.
pub(super) fn over_deadline(settings: &CommandSettings) -> String {
    format!("it has not answered within --deadline {:?}, and is killed", settings.deadline)
}

/// What is said of an answer that is too long.
pub(super) fn too_long(bytes_max: usize) -> String {
    format!("its answer has more than --answer-bytes-max {bytes_max}, and it is killed")
}

/// The frames before the last one, as variables: those that are text that one can hold, and how many there are.
fn environment(frames: &[Vec<u8>]) -> Vec<(String, String)> {
    let mut variables = vec![("TIDEGATE_FRAMES".to_owned(), frames.len().to_string())];
    let mut left = ENVIRONMENT_BYTES_MAX;
    for (index, frame) in frames.iter().enumerate().take(ENVIRONMENT_FRAMES_MAX) {
        if frame.len() <= ENVIRONMENT_FRAME_BYTES_MAX.min(left)
            && !frame.contains(&0)
            && let Ok(text) = std::str::from_utf8(frame)
        {
            left -= frame.len();
            variables.push((format!("TIDEGATE_FRAME_{index}"), text.to_owned()));
        }
    }
    variables
}

/// Reads to the end.
///
/// # Errors
/// When that is longer than it may be, or cannot be read.
async fn read_bounded(stdout: impl AsyncRead + Unpin, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut answer = Vec::new();
    let read = stdout.take(bytes_max as u64 + 1).read_to_end(&mut answer).await;
    read.map_err(|error| format!("reading its stdout: {error}"))?;
    if answer.len() > bytes_max { Err(too_long(bytes_max)) } else { Ok(answer) }
}

/// The end of what a process says on stderr.
struct Said {
    tail: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<io::Result<()>>,
}

impl Said {
    fn listen(mut stderr: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let tail = Arc::<Mutex<Vec<u8>>>::default();
        let into = Arc::clone(&tail);
        let reading = tokio::spawn(async move {
            let mut piece = [0; 4 << 10];
            loop {
                let length = stderr.read(&mut piece).await?;
                if length == 0 {
                    return Ok(());
                }
                let mut tail = into.lock().unwrap_or_else(PoisonError::into_inner);
                tail.extend_from_slice(&piece[..length]);
                let excess = tail.len().saturating_sub(STDERR_BYTES_MAX);
                tail.drain(..excess);
            }
        });
        Self { tail, reading }
    }

    /// As lines behind the reason of a failure; empty if there are none.
    async fn end(mut self) -> String {
        let _ = timeout(STDERR_WAIT, &mut self.reading).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let text: String = String::from_utf8_lossy(&tail).trim_end().chars().map(visible).collect();
        if text.is_empty() { String::new() } else { format!("; the end of its stderr:\n{text}") }
    }
}

/// What may have come from somebody else's message steers no terminal.
fn visible(letter: char) -> char {
    if letter.is_control() && letter != '\n' && letter != '\t' { char::REPLACEMENT_CHARACTER } else { letter }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn settings(script: &str) -> CommandSettings {
        CommandSettings {
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            lines: false,
            deadline: Duration::from_secs(60),
            answer_bytes_max: 4 << 20,
        }
    }

    fn run(settings: &CommandSettings, frames: &[&[u8]]) -> Result<Vec<u8>, String> {
        let message = frames.iter().map(|frame| frame.to_vec()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(answer(settings, &message))
    }

    #[test]
    fn a_message_goes_in_and_what_comes_out_is_the_answer() {
        let large = vec![b'x'; 3 << 20];
        assert_eq!(run(&settings("cat"), &[&large]), Ok(large.clone()));
        assert_eq!(run(&settings("cat; echo more"), &[b"a\n"]), Ok(b"a\nmore\n".to_vec()));
        // One that reads nothing, closes its stdin, or gets nothing.
        assert_eq!(run(&settings("echo no"), &[&large]), Ok(b"no\n".to_vec()));
        assert_eq!(run(&settings("exec 0<&-; echo no"), &[&large]), Ok(b"no\n".to_vec()));
        assert_eq!(run(&settings("cat"), &[]), Ok(Vec::new()));
    }

    #[test]
    fn the_frames_before_the_last_are_variables_where_they_are_text() {
        let script = "echo $TIDEGATE_FRAMES,$TIDEGATE_FRAME_0,$TIDEGATE_FRAME_1,$TIDEGATE_FRAME_2,$TIDEGATE_FRAME_3";
        let long = [b'x'; ENVIRONMENT_FRAME_BYTES_MAX + 1];
        let frames: [&[u8]; 6] = [b"a b", b"\xff", "ü".as_bytes(), b"c\0d", &long, b"body"];
        assert_eq!(run(&settings(script), &frames), Ok("5,a b,,ü,\n".as_bytes().to_vec()));
        let many = vec![vec![b'y'; ENVIRONMENT_FRAME_BYTES_MAX]; ENVIRONMENT_FRAMES_MAX];
        assert_eq!(environment(&many).len(), 5, "as many as there is room for");
        assert_eq!(run(&settings("true"), &many.iter().map(Vec::as_slice).collect::<Vec<_>>()), Ok(Vec::new()));
    }

    #[test]
    fn what_fails_is_told_with_the_end_of_its_stderr() {
        let noise = "echo $(seq 1000) >&2; printf '\\033[1mlast words\\n' >&2; exit 3";
        let why = run(&settings(noise), &[b""]).unwrap_err();
        assert!(why.starts_with("it ended with exit status: 3; the end of its stderr:\n"), "{why}");
        assert!(why.ends_with("\n\u{fffd}[1mlast words") && why.len() < 2_200, "{why}");
        let why = run(&settings("kill -9 $$"), &[b""]).unwrap_err();
        assert_eq!(why, "it ended with signal: 9 (SIGKILL)");
        let missing = CommandSettings { program: "/nowhere/at/all".into(), ..settings("") };
        let why = run(&missing, &[b""]).unwrap_err();
        assert!(why.starts_with("it cannot be started: No such file"), "{why}");
    }

    #[test]
    fn what_is_over_its_bounds_is_killed_with_all_that_it_started() {
        let tight = CommandSettings { answer_bytes_max: 3, ..settings("echo abc; sleep 600") };
        assert_eq!(run(&tight, &[b""]), Err(too_long(3)));
        let exact = CommandSettings { answer_bytes_max: 4, ..settings("echo abc") };
        assert_eq!(run(&exact, &[b""]), Ok(b"abc\n".to_vec()));
        // The sleep has the pipes and outlives the shell, unless the whole group is killed.
        let started = Instant::now();
        let slow =
            CommandSettings { deadline: Duration::from_millis(300), ..settings("echo hi >&2; sleep 600 & wait") };
        let why = run(&slow, &[b""]).unwrap_err();
        assert_eq!(why, over_deadline(&slow) + "; the end of its stderr:\nhi");
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    }
}
