//! The allocator: it hands out a static arena first and grows the memory for large messages only.
//!
//! The host gives every call a fresh instance. Growing its memory is a system call and new pages each time; an arena
//! comes with the instance. Without this file and `talc` the plugin works as well, and a call costs some microseconds
//! more.

mod growth;

use growth::ArenaFirst;
use talc::cell::TalcSyncCell;
use talc::wasm::WasmBinning;

#[global_allocator]
static ALLOCATOR: TalcSyncCell<ArenaFirst, WasmBinning> = TalcSyncCell::new_wasm(ArenaFirst::new());
