//! Fuzzes entries of the compile cache: file mode, position and kind of a change, then the compiled artifact.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&[mode_high, mode_low, at_high, at_low, change], artifact)) = bytes.split_first_chunk() else { return };
    let mode = u32::from(u16::from_be_bytes([mode_high, mode_low]));
    tidegate::fuzzing::cache(mode, u16::from_be_bytes([at_high, at_low]).into(), change, artifact);
});
