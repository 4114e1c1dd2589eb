//! Messages put through a flow of a configuration in this process: what comes out is printed, and each is counted once.

mod chosen_flow;
mod offline_flow;
mod printer;

pub(super) use chosen_flow::ChosenFlow;
pub(super) use printer::Printer;

use super::outlet::Outlet;
use super::tally::Tally;
use crate::record::dead_letters::LetterSeed;
use crate::record::replay::Incoming;
use crate::system::interrupt::Interrupt;
use anyhow::Context;
use offline_flow::{OfflineFlow, Passed};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A flow as a way of sending: it has done with a message before it takes the next one.
pub(super) struct Through {
    /// Whoever waits for a message runs the flow.
    runtime: Runtime,
    flow: OfflineFlow,
    printer: Printer,
    /// How long a message may take.
    timeout: Duration,
    name: String,
}

impl Through {
    /// Loads the plugins, and starts the flow. Its random numbers and clocks are functions of the seed, so that it does the same
    /// each time.
    ///
    /// # Errors
    /// When a plugin is not there or is refused, or the system gives no runtime.
    pub(super) fn open(
        chosen: ChosenFlow,
        seed: Option<LetterSeed>,
        printer: Printer,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("starting a runtime")?;
        let name = chosen.to_string();
        let seed = LetterSeed { value: seed.map_or(0, |seed| seed.value), fixed: true };
        let flow = runtime.block_on(OfflineFlow::start(chosen, seed))?;
        Ok(Self { runtime, flow, printer, timeout, name })
    }
}

impl Outlet for Through {
    fn receiver(&self) -> String {
        self.name.clone()
    }

    fn is_ready(&mut self) -> Result<bool, String> {
        Ok(true)
    }

    fn offer(&mut self, message: &Incoming, tally: &mut Tally) -> Result<bool, String> {
        let Self { runtime, flow, printer, timeout, .. } = self;
        let passages = tally.passages.get_or_insert_default();
        passages.entered += 1;
        let passed = runtime.block_on(flow.put(message, *timeout));
        let passed = passed.inspect_err(|_| {
            passages.abandon();
            tally.failed += 1;
        })?;
        let Passed { outputs, failures, dropped } = passed;
        match dropped {
            Some(_) => tally.failed += 1,
            None => tally.sent += 1,
        }
        passages.note(outputs.len(), failures.len(), dropped);
        for entry in outputs.into_iter().chain(failures) {
            printer.print(&entry)?;
        }
        Ok(true)
    }

    fn end(self: Box<Self>, _wait: Duration, _interrupt: &Interrupt, tally: &mut Tally) -> Result<(), String> {
        let Self { runtime, flow, mut printer, .. } = *self;
        let printed = printer.flush();
        let counts = runtime.block_on(flow.end());
        tally.passages.get_or_insert_default().check(&counts)?;
        printed
    }
}
