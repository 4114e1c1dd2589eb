//! PUB to SUB: the rate of libzmq alone, and whether `subscribe` writes its log at that rate.

mod contender;

use crate::figures::Summary;
use crate::host;
use crate::options::Options;
use crate::peer::MESSAGE_BYTES;
use crate::report::{Ratio, Report, Table};
use crate::row::Target;
use anyhow::{Context, Result};
use contender::SUBSCRIBE;

/// The number of messages per second of `--seconds`.
const MESSAGES_PER_SECOND: u64 = 1_000_000;
const MESSAGES_PER_SECOND_MIN: f64 = 1e6;

/// Measures every contender in every round.
pub fn run(options: &Options) -> Result<Report> {
    let messages = if options.quick { 100_000 } else { options.seconds() * MESSAGES_PER_SECOND };
    let mut report = Report::new(
        "publish",
        &[
            &format!(
                "traffic     {messages} messages of {MESSAGE_BYTES} bytes, one publisher, one subscriber, over TCP; each a process of its own"
            ),
            "lossless    XPUB_NODROP: where 100,000 messages wait the publisher does, so that nothing is dropped on the way",
            "time        from the subscription's arrival at the publisher to the last message: counted by the subscriber,\n              or in the log; every line of the log of `subscribe` is then compared with what was sent",
        ],
    );
    let host = options.host.clone().map_or_else(host::build, Ok)?;
    let (contenders, skipped) = contender::all(&host, &options.python);
    report.skipped = skipped;
    let mut rates = vec![Vec::new(); contenders.len()];
    let mut lost = Vec::new();
    for round in 1..=options.rounds() {
        for (contender, rates) in contenders.iter().zip(&mut rates) {
            eprintln!("round {round} of {}: {}", options.rounds(), contender.name);
            let carried = contender.carry(messages).context(contender.name)?;
            rates.push(messages as f64 / carried.seconds);
            lost.extend(carried.lost.map(|lost| lost as f64));
        }
    }
    let names = contenders.iter().map(|contender| contender.name.to_owned());
    let table = Table::of("messages", "1/s", names.zip(rates));
    let fast = Summary::of(table.rounds(SUBSCRIBE).context("subscribe took part")?.iter().copied());
    let judged = |what: &str, ratio, target| Ratio { id: "P8", what: what.to_owned(), ratio, target: Some(target) };
    report.ratios.push(judged(
        "lines/s of `subscribe`, itself no ratio",
        fast,
        Target::AtLeast(MESSAGES_PER_SECOND_MIN),
    ));
    report.ratios.push(judged("messages that `subscribe` lost", Summary::of(lost), Target::AtMost(0.0)));
    let others: Vec<_> = table.lines.iter().filter(|line| line.contender != SUBSCRIBE).collect();
    report.ratios.extend(others.iter().filter_map(|line| table.ratio("", SUBSCRIBE, &line.contender, None)));
    report.tables = vec![table];
    Ok(report)
}
