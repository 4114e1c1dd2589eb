//! The dead letters of a host, which keep what failed.

use super::{DEAD_LETTER_HOP, StartError, could_not_start};
use crate::config;
use crate::ledger::Ledger;
use crate::plugin::Seed;
use crate::record::dead_letters::{DeadLetterSettings, DeadLetters, LetterSeed};
use crate::system::supervisor::Supervisor;

/// Their writer, unless the configuration wants none.
pub(super) fn start(
    config: &config::DeadLetters,
    seed: Seed,
    ledger: &Ledger,
    supervisor: &Supervisor,
) -> Result<DeadLetters, StartError> {
    if config.file.as_os_str() == "none" {
        return Ok(DeadLetters::default());
    }
    let settings = DeadLetterSettings {
        file: config.file.clone(),
        bytes_max: config.bytes_max,
        files_max: config.files_max,
        queue_letters_max: config.queue_letters_max,
        queue_bytes_max: config.queue_bytes_max,
        seed: LetterSeed { value: seed.value, fixed: seed.fixed },
    };
    DeadLetters::start(settings, ledger.hop(DEAD_LETTER_HOP), supervisor)
        .map_err(|error| could_not_start(format!("starting the writer of dead letters: {error}")))
}
