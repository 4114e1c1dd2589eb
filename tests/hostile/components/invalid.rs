//! Files that are not valid components, or that export the role with another type.

/// The component that a text stands for.
pub fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).unwrap()
}

/// A component around a core module that need not be valid.
pub fn invalid(fields: &str) -> Vec<u8> {
    text(&format!("(component (core module {fields}))"))
}

/// The role's export, lifted with another type than the contract's.
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

/// Bytes that look random and are the same in every run.
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
