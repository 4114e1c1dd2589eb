//! Files are replaced, some by bad ones, while clients ask without a pause.

use super::rename_over;
use crate::harness::{Client, DOWN, Setup, UP, bytes};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn no_request_fails_while_files_flip_and_break() {
    const FLIPS: u32 = 30;
    const TIME: Duration = Duration::from_secs(6);
    // The clients ask without a pause, which would be shed as overload on a busy machine; overload has its own tests.
    let host = Setup::new().plugin("x", &bytes("downcase")).config("[http]\nqueue_delay_ms_max = 0").start();
    let path = host.plugin_path("x");
    let (down, up) = (bytes("downcase"), bytes("upcase"));
    let enough = AtomicBool::new(false);
    let changes = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let client = Client::new(&host);
                    let (mut last, mut changes) = (String::new(), 0_u32);
                    while !enough.load(Ordering::Relaxed) {
                        let answer = client.request("GET", "/x/?param=AbC", None).expect("an answer");
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        assert!([DOWN, UP].contains(&answer.text()), "{}", answer.text());
                        changes += u32::from(answer.text() != last);
                        last = answer.text().to_owned();
                    }
                    changes
                })
            })
            .collect();
        let started = Instant::now();
        for flip in 0..FLIPS {
            let content = if flip % 2 == 0 { &up } else { &down };
            match flip % 10 {
                9 => {
                    std::fs::write(&path, &content[..content.len() - 1 - flip as usize]).unwrap();
                    std::thread::sleep(TIME / FLIPS / 2);
                    std::fs::write(&path, content).unwrap();
                }
                flip if flip % 3 == 0 => std::fs::write(&path, content).unwrap(),
                _ => rename_over(&path, content),
            }
            std::thread::sleep((TIME * (flip + 1) / FLIPS).saturating_sub(started.elapsed()));
        }
        enough.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).min().unwrap()
    });
    // A slow host may load once for two flips, and a client may miss a generation.
    assert!(changes > FLIPS / 4, "answers changed {changes} times");
    assert_eq!(host.stop(), 0);
}
