//! The allocator of the guests: it hands out a static arena first and grows the memory for large messages only.
//!
//! The host gives every call a fresh instance. Growing its memory is a system call and new pages each time; an arena
//! comes with the instance. Everything is really freed, so that an instance may serve many calls as well.
//! A guest takes it up with `use arena as _;`.
#![no_std]

#[cfg(target_arch = "wasm32")]
mod growth;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: talc::cell::TalcSyncCell<growth::ArenaFirst, talc::wasm::WasmBinning> =
    talc::cell::TalcSyncCell::new_wasm(growth::ArenaFirst::new());
