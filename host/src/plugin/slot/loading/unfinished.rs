//! Files that are still being written, which are waited for.

use crate::config::{SETTLE_MS, UNFINISHED_REST_MS};
use crate::plugin::load::blocking::reading;
use crate::plugin::load::file::is_unfinished;
use crate::system::file_watch::Fingerprint;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tokio::time::sleep;

const SETTLE: Duration = Duration::from_millis(SETTLE_MS);
const UNFINISHED_REST: Duration = Duration::from_millis(UNFINISHED_REST_MS);

/// Waits while a file looks half written, until it has not changed for [`UNFINISHED_REST`]. False if it is gone by
/// then.
pub(super) async fn until_finished(path: &Path, bytes_max: u64) -> bool {
    let mut seen: Option<(Fingerprint, Instant)> = None;
    loop {
        let file = path.to_owned();
        let looked =
            reading(move || Ok(Fingerprint::of(&file).map(|state| (state, is_unfinished(&file, bytes_max))))).await;
        let file = match looked {
            Ok(Some((file, true))) => file,
            Ok(None) => return false,
            _ => return true,
        };
        let since = match seen {
            Some((known, since)) if known == file => since,
            _ => Instant::now(),
        };
        // One that was there before the host began to look has rested already.
        if since.elapsed() >= UNFINISHED_REST || file.age(SystemTime::now()) >= UNFINISHED_REST {
            return true;
        }
        seen = Some((file, since));
        sleep(SETTLE).await;
    }
}
