//! Components from text, invalid components, and a role of the wrong type.

/// The component with this text form.
pub fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).unwrap()
}

/// A component around a core module with these fields, which may be invalid.
pub fn invalid(fields: &str) -> Vec<u8> {
    text(&format!("(component (core module {fields}))"))
}

/// Exports the role's function with a type that is not the contract's.
pub fn wrongly_typed(parameters: &str, core_parameters: &str) -> Vec<u8> {
    text(&format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "f") {core_parameters})
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
            (core instance $i (instantiate $m))
            (func $f {parameters}
                (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
            (instance $role (export "transform" (func $f)))
            (export "tidegate:plugin/transform@0.1.0" (instance $role)))"#
    ))
}

/// Pseudo-random bytes, the same in every run.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}
