//! A contender's program, which makes calls in its turns; `contenders/turns.rs` is the other side of the protocol.

use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A program that waits for its turns; it ends when this is dropped.
pub struct Program {
    pub contenders: Vec<String>,
    process: Child,
    // This is none only during drop.
    turns: Option<ChildStdin>,
    figures: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts the program, and waits until all its contenders are ready.
    pub fn start(program: &Path, arguments: &[OsString]) -> Result<Self> {
        let starting = || format!("starting {}", program.display());
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(starting)?;
        let turns = process.stdin.take();
        let out = process.stdout.take().context("the program has no stdout")?;
        let mut program = Self { contenders: Vec::new(), process, turns, figures: BufReader::new(out).lines() };
        loop {
            let line = program.line().with_context(starting)?;
            if line == "ready" {
                return Ok(program);
            }
            program.contenders.push(line);
        }
    }

    /// Lets one contender make calls for this long. Returns the time of one call in nanoseconds.
    pub fn turn(&mut self, contender: &str, body_bytes: usize, calls_ms: u64) -> Result<f64> {
        let turns = self.turns.as_mut().context("the program has no stdin")?;
        writeln!(turns, "{contender} {body_bytes} {calls_ms}")?;
        let line = self.line().with_context(|| format!("calls of {contender}"))?;
        let call_ns: f64 = line.parse().with_context(|| format!("reading {line}"))?;
        ensure!(call_ns > 0.0, "{contender} says that a call takes {line} ns");
        Ok(call_ns)
    }

    fn line(&mut self) -> Result<String> {
        self.figures.next().context("the program has ended; what it wrote stands above")?.context("reading figures")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program ends at the end of its stdin.
        self.turns = None;
        let _ = self.process.wait();
    }
}
