//! The allocator of the guests: it hands out static memory first and grows the memory for large messages only.
//!
//! The host gives every call a fresh instance, or one that is as good as fresh. Growing its memory is a system call and
//! new pages each time; static memory comes with the instance. Everything is really freed, so that an instance may serve
//! many calls as well.
//! A guest takes it up with `use arena as _;`.
#![cfg_attr(not(test), no_std)]

#[cfg(any(target_arch = "wasm32", test))]
mod bump;
#[cfg(target_arch = "wasm32")]
mod growth;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: bump::BumpFirst<talc::cell::TalcSyncCell<growth::ArenaFirst, talc::wasm::WasmBinning>> =
    bump::BumpFirst::new(talc::cell::TalcSyncCell::new_wasm(growth::ArenaFirst::new()));
