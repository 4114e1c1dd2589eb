//! Turns: how a contender's program is told to make calls, a line each way, so that those of several programs
//! alternate.
//!
//! `CONTENDER BODY_BYTES CALLS_MS` comes in at stdin; the time of one call in nanoseconds goes out at stdout. Before
//! that the program names its contenders, one a line, and then says `ready`.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

/// The bytes of all bodies of a batch: so many that the cost of reading the clock is negligible, and few enough for
/// the processor's caches.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_CALLS_MAX: usize = 1_000;

/// Makes one call with each body and returns the last answer.
pub type Calls<'a> = Box<dyn FnMut(Vec<Vec<u8>>) -> Result<Vec<u8>> + 'a>;

/// One way to make a call.
pub struct Contender<'a> {
    pub name: &'static str,
    /// The beginning of each body.
    pub prefix: &'static str,
    pub calls: Calls<'a>,
}

/// Takes turns until stdin ends.
pub fn take(contenders: &mut [Contender<'_>]) -> Result<()> {
    let mut out = std::io::stdout();
    for contender in &*contenders {
        writeln!(out, "{}", contender.name)?;
    }
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let turn: Vec<_> = line.split(' ').collect();
        let [name, bytes, ms] = turn[..] else { anyhow::bail!("`{line}` is not CONTENDER BODY_BYTES CALLS_MS") };
        let contender = contenders.iter_mut().find(|contender| contender.name == name);
        let contender = contender.with_context(|| format!("there is no contender {name}"))?;
        let call_ns = time(contender, bytes.parse()?, Duration::from_millis(ms.parse()?))
            .with_context(|| format!("{name} with {bytes} bytes"))?;
        writeln!(out, "{call_ns}")?;
        out.flush()?;
    }
    Ok(())
}

/// The time of one call. It includes dropping body and answer, but not making the bodies.
fn time(contender: &mut Contender<'_>, bytes: usize, at_least: Duration) -> Result<f64> {
    let text = mixed_case(bytes);
    let body = [contender.prefix.as_bytes(), text.as_bytes()].concat();
    let answer = (contender.calls)(vec![body.clone()])?;
    let expected = format!("lower case of {text} is {}", text.to_lowercase());
    ensure!(answer == expected.as_bytes(), "it answers {:?}", String::from_utf8_lossy(&answer));

    let batch = (BATCH_BYTES / body.len()).clamp(1, BATCH_CALLS_MAX);
    let (began, mut spent, mut calls) = (Instant::now(), Duration::ZERO, 0);
    while spent < at_least && began.elapsed() < at_least * 4 {
        let bodies = vec![body.clone(); batch];
        let began = Instant::now();
        std::hint::black_box((contender.calls)(bodies)?);
        spent += began.elapsed();
        calls += batch;
    }
    Ok(spent.as_nanos() as f64 / calls as f64)
}

/// Text of ASCII letters in both cases, with spaces between words.
fn mixed_case(bytes: usize) -> String {
    "Hello World MiXeD cAsE ".chars().cycle().take(bytes).collect()
}
