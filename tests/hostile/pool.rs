//! Instances, memories and tables come out of a pool that all plugins share; no plugin can take it all.

use super::components::{holding, instances};
use super::table::SHORT_MS;
use super::{add_files, host, log_of, with_good_answers};
use crate::fixtures;
use crate::harness::Client;

/// Instances, memories and tables come out of a pool that all plugins share.
#[test]
fn what_one_plugin_takes_of_the_pool_is_not_missed_by_another() {
    // As many instances, memories and tables as one component may have, its own module's included.
    for (count, fields) in [(50, ""), (1, "(memory 0)"), (5, "(table 0 funcref)")] {
        let host = host(&format!("[limits]\ncall_deadline_ms = {SHORT_MS}"));
        let hoard = holding(fixtures::waiting(), &instances(count, fields));
        add_files(&host, [("hoard", hoard.as_slice())]);
        with_good_answers(&host, || {
            std::thread::scope(|scope| {
                for _ in 0..64 {
                    scope.spawn(|| {
                        let client = Client::new(&host);
                        for _ in 0..4 {
                            let status = client.request("GET", "/hoard/?param=x", None).unwrap().status;
                            assert!([503, 504].contains(&status), "{status}");
                        }
                    });
                }
            });
        });
        log_of(host);
    }
}
