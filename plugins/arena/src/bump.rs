//! The first allocations of a call, one behind the other: a small message has some twenty, which all end with the call.
//! Looking for free memory for each of them took longer than all else that a small guest does.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use core::ptr;

/// What a message of a few hundred bytes needs.
const BUMP_BYTES: usize = 8 * 1024;

/// Allocates from its own memory for as long as there is any, and then from `rest`. Its own is free again once all of it
/// was given back.
pub(crate) struct BumpFirst<A> {
    memory: UnsafeCell<[MaybeUninit<u8>; BUMP_BYTES]>,
    used: Cell<usize>,
    allocations: Cell<usize>,
    rest: A,
}

// SAFETY: a guest has one thread.
unsafe impl<A: Sync> Sync for BumpFirst<A> {}

impl<A> BumpFirst<A> {
    pub(crate) const fn new(rest: A) -> Self {
        let memory = UnsafeCell::new([MaybeUninit::uninit(); BUMP_BYTES]);
        Self { memory, used: Cell::new(0), allocations: Cell::new(0), rest }
    }

    fn begin(&self) -> *mut u8 {
        self.memory.get().cast()
    }

    /// Where an allocation begins, if it is one of its own.
    fn offset(&self, allocation: *mut u8) -> Option<usize> {
        let offset = allocation.addr().wrapping_sub(self.begin().addr());
        (offset < BUMP_BYTES).then_some(offset)
    }
}

// SAFETY: what is handed out is unused, aligned and within the memory, and is used again only when all of it, or the last
// allocation, was given back. All else is the rest's.
unsafe impl<A: GlobalAlloc> GlobalAlloc for BumpFirst<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let next = self.begin().wrapping_add(self.used.get());
        let offset = self.used.get() + next.align_offset(layout.align());
        match offset.checked_add(layout.size()) {
            Some(end) if end <= BUMP_BYTES => {
                self.used.set(end);
                self.allocations.set(self.allocations.get() + 1);
                self.begin().wrapping_add(offset)
            }
            // SAFETY: as the caller has promised.
            _ => unsafe { self.rest.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, allocation: *mut u8, layout: Layout) {
        let Some(offset) = self.offset(allocation) else {
            // SAFETY: it is not from here, so it is from there.
            return unsafe { self.rest.dealloc(allocation, layout) };
        };
        self.allocations.set(self.allocations.get() - 1);
        if self.allocations.get() == 0 {
            self.used.set(0);
        } else if offset + layout.size() == self.used.get() {
            self.used.set(offset);
        }
    }

    unsafe fn realloc(&self, allocation: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(offset) = self.offset(allocation) else {
            // SAFETY: it is not from here, so it is from there.
            return unsafe { self.rest.realloc(allocation, layout, size) };
        };
        // The last one grows where it is.
        if offset + layout.size() == self.used.get() && size <= BUMP_BYTES - offset {
            self.used.set(offset + size);
            return allocation;
        }
        // SAFETY: the size is one that the caller may ask for, and both are as large as what is copied.
        unsafe {
            let other = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !other.is_null() {
                ptr::copy_nonoverlapping(allocation, other, layout.size().min(size));
                self.dealloc(allocation, layout);
            }
            other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;

    /// The next of a row of numbers that is the same in each run.
    fn next(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize
    }

    /// Allocations that each hold bytes of their own, which are looked at whenever one changes.
    #[test]
    fn no_allocation_changes_another_and_all_is_free_in_the_end() {
        let (allocator, mut state) = (BumpFirst::new(System), 7);
        let (mut own, mut beyond) = (0, 0);
        for _ in 0..200 {
            let mut held: Vec<(*mut u8, Layout, u8)> = Vec::new();
            for mark in 0..100 {
                let layout = Layout::from_size_align(1 + next(&mut state) % 300, 1 << (next(&mut state) % 5)).unwrap();
                // SAFETY: each is written within its layout, and freed once with the layout that it has.
                unsafe {
                    match next(&mut state) % 4 {
                        0 if !held.is_empty() => {
                            let (at, layout, mark) = held.swap_remove(next(&mut state) % held.len());
                            check(at, layout, mark);
                            allocator.dealloc(at, layout);
                        }
                        1 if !held.is_empty() => {
                            let (at, before, mark) = held.swap_remove(next(&mut state) % held.len());
                            let after = Layout::from_size_align(layout.size(), before.align()).unwrap();
                            let at = allocator.realloc(at, before, after.size());
                            let kept = Layout::from_size_align(before.size().min(after.size()), 1).unwrap();
                            check(at, kept, mark);
                            at.write_bytes(mark, after.size());
                            held.push((at, after, mark));
                        }
                        _ => {
                            let at = allocator.alloc(layout);
                            at.write_bytes(mark, layout.size());
                            held.push((at, layout, mark));
                        }
                    }
                    for (at, layout, mark) in &held {
                        check(*at, *layout, *mark);
                    }
                }
            }
            own += held.iter().filter(|(at, ..)| allocator.offset(*at).is_some()).count();
            beyond += held.iter().filter(|(at, ..)| allocator.offset(*at).is_none()).count();
            // SAFETY: as above.
            held.into_iter().for_each(|(at, layout, _)| unsafe { allocator.dealloc(at, layout) });
            assert_eq!((allocator.used.get(), allocator.allocations.get()), (0, 0));
        }
        assert!(own > 100 && beyond > 100, "{own} of its own, {beyond} of the rest");
    }

    unsafe fn check(at: *mut u8, layout: Layout, mark: u8) {
        assert_eq!(at.align_offset(layout.align()), 0);
        // SAFETY: the caller holds it.
        let bytes = unsafe { std::slice::from_raw_parts(at, layout.size()) };
        assert!(bytes.iter().all(|byte| *byte == mark));
    }
}
