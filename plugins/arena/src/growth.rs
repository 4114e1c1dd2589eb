//! Where the allocator gets its memory: the static arena once, then pages at the end of the memory.

use core::alloc::Layout;
use core::arch::wasm32::memory_grow;
use core::mem::MaybeUninit;
use talc::base::{Talc, binning::Binning};
use talc::source::Source;

/// With what is handed out before it, the stack and the data of a small guest, this fits into the one page that an instance begins with.
const ARENA_BYTES: usize = 24 * 1024;
const PAGE_BYTES: usize = 64 * 1024;
/// What the allocator may add to an allocation: its tag, and the alignment of both ends of a heap.
const OVERHEAD_BYTES: usize = 64;

static mut ARENA: [MaybeUninit<u8>; ARENA_BYTES] = [MaybeUninit::uninit(); ARENA_BYTES];

/// The arena first, growth of the memory after it.
#[derive(Debug)]
pub(crate) struct ArenaFirst {
    arena_claimed: bool,
}

impl ArenaFirst {
    pub(crate) const fn new() -> Self {
        Self { arena_claimed: false }
    }
}

// SAFETY: nothing here allocates, and every region is claimed once: nobody else names the arena, and grown pages are
// new.
unsafe impl Source for ArenaFirst {
    /// The allocator asks again for as long as `layout` finds no room, and gives up at an error.
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if !talc.source.arena_claimed {
            talc.source.arena_claimed = true;
            // SAFETY: as above.
            return unsafe { talc.claim((&raw mut ARENA).cast(), ARENA_BYTES) }.map(drop).ok_or(());
        }

        let pages = (layout.size() + layout.align() + OVERHEAD_BYTES).div_ceil(PAGE_BYTES);
        let first = memory_grow::<0>(pages);
        if first == usize::MAX {
            return Err(());
        }
        // SAFETY: as above.
        unsafe { talc.claim((first * PAGE_BYTES) as *mut u8, pages * PAGE_BYTES) }.map(drop).ok_or(())
    }
}
