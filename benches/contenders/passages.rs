//! What one passage through a hop costs, entered and gone out, with more and more threads on the same hop; beside it a hop that
//! has one lock for all threads.
//!
//! An example of the package `host`, so that it links the very ledger that the host has. It writes a line for each contender:
//! its name, a tab, and nanoseconds.

use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use tidegate::ledger::{Figures, Hop};

/// By all threads together.
const PASSAGES: u32 = 4_000_000;

fn main() -> std::io::Result<()> {
    let processors = thread::available_parallelism()?.get() as u32;
    let (hop, locked) = (Hop::default(), Arc::new(Mutex::new(Figures::default())));
    for threads in [1, 2, 4, 8] {
        let name = |contender: &str| format!("{contender}, {threads} thread{}", if threads == 1 { "" } else { "s" });
        let print = |contender: &str, passage: &(dyn Fn() + Sync)| {
            println!("{}\t{}", name(contender), passage_ns(threads, processors, passage));
        };
        print("hop", &|| black_box(hop.enter()).out());
        print("one lock", &|| {
            let inside = Arc::clone(&locked);
            let change = |change: fn(&mut Figures)| change(&mut inside.lock().unwrap_or_else(PoisonError::into_inner));
            change(|figures| (figures.entered, figures.in_flight) = (figures.entered + 1, figures.in_flight + 1));
            black_box(&inside);
            change(|figures| (figures.out, figures.in_flight) = (figures.out + 1, figures.in_flight - 1));
        });
    }
    Ok(())
}

/// The time that one passage takes its thread. Threads that have to share processors get what they would have of their own.
fn passage_ns(threads: u32, processors: u32, passage: &(dyn Fn() + Sync)) -> f64 {
    let start = Barrier::new(threads as usize + 1);
    let began = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                start.wait();
                (0..PASSAGES / threads).for_each(|_| passage());
            });
        }
        start.wait();
        Instant::now()
    });
    began.elapsed().as_nanos() as f64 * f64::from(threads.min(processors)) / f64::from(PASSAGES)
}
