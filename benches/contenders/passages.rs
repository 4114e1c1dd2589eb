//! The cost of one passage through a hop, in and out, with a growing number of threads on the same hop, compared with a
//! hop that has one lock for all threads.
//!
//! It is an example of the package `host`, so that it links the host's own ledger. It writes a line for each contender:
//! its name, a tab, and nanoseconds.

use std::hint::black_box;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use tidegate::ledger::{Hop, HopCounts};

/// The passages of each thread in one turn, which take a few milliseconds, so that it is seldom interrupted.
const PASSAGES: u32 = 200_000;
const TURNS: usize = 60;

fn main() -> std::io::Result<()> {
    let processors = thread::available_parallelism()?.get();
    let (hop, locked) = (Hop::default(), Arc::new(Mutex::new(HopCounts::default())));
    for threads in [1, 2, 4, 8] {
        let name = |contender: &str| format!("{contender}, {threads} thread{}", if threads == 1 { "" } else { "s" });
        let print = |contender: &str, passage: &(dyn Fn() + Sync)| {
            println!("{}\t{}", name(contender), passage_ns(threads, processors, passage));
        };
        print("hop", &|| black_box(hop.enter()).out());
        print("one lock", &|| {
            let inside = Arc::clone(&locked);
            let change =
                |change: fn(&mut HopCounts)| change(&mut inside.lock().unwrap_or_else(PoisonError::into_inner));
            change(|figures| (figures.entered, figures.in_flight) = (figures.entered + 1, figures.in_flight + 1));
            black_box(&inside);
            change(|figures| (figures.out, figures.in_flight) = (figures.out + 1, figures.in_flight - 1));
        });
    }
    Ok(())
}

/// The time of one passage for its thread while `threads` threads make passages. A turn lasts from the first thread's
/// start to the last one's end, and the result is the first quartile of all turns, so that other programs disturb it
/// least. The time is scaled as if each thread had its own processor.
fn passage_ns(threads: usize, processors: usize, passage: &(dyn Fn() + Sync)) -> f64 {
    let start = Barrier::new(threads);
    let turn = || {
        start.wait();
        let began = Instant::now();
        (0..PASSAGES).for_each(|_| passage());
        (began, Instant::now())
    };
    let of_thread = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| [(); TURNS].map(|()| turn()))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect::<Vec<_>>()
    });
    let whole = |turn: usize| {
        let (began, ended): (Vec<_>, Vec<_>) = of_thread.iter().map(|turns| turns[turn]).unzip();
        began.iter().min().zip(ended.iter().max()).map(|(began, ended)| *ended - *began)
    };
    let mut turns: Vec<_> = (0..TURNS).filter_map(whole).collect();
    turns.sort();
    let share = threads.min(processors) as f64 / threads as f64;
    turns[turns.len() / 4].as_nanos() as f64 * share / f64::from(PASSAGES)
}
