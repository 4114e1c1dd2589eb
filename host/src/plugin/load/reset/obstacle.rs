//! The list of what keeps an instance from being reset: each item is looked for in the component's bytes.

use super::MEMORY_BYTES_MAX;

/// Why instances of a component cannot be reset.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResetObstacle {
    /// Above the bound, a new instance costs less than writing all of it.
    #[error("the memories begin with {bytes} bytes, over {MEMORY_BYTES_MAX}")]
    LargeMemory { bytes: u64 },
    /// Tables are not written again, so nothing may change them once an instance has been made.
    #[error("{module}: {instruction} at {offset:#x} changes a table")]
    TableChange { module: String, instruction: &'static str, offset: usize },
    /// A segment that was dropped cannot be brought back.
    #[error("{module}: {instruction} at {offset:#x} drops a segment")]
    DroppedSegment { module: String, instruction: &'static str, offset: usize },
    /// What a start function does must be the same each time that it runs, and runs again at each reset: one that calls
    /// the host, or what a table holds, or grows a memory, may do something else the second time.
    #[error("{module}: the start function reaches {what}")]
    Start { module: String, what: String },
    /// Threads, exceptions, garbage collection, stack switching, asynchronous functions: their state is not looked for.
    #[error("{0}")]
    Feature(#[source] wasmparser::Error),
    /// The table of a component's own resources cannot be seen from outside, and their numbers tell what was there before.
    #[error("it defines a resource type")]
    OwnResource,
    /// A built-in function of the component model with a state of its own.
    #[error("it uses the built-in function {0}")]
    BuiltIn(String),
    /// Only modules at the top are looked at.
    #[error("a component inside of it has core modules or functions of its own")]
    NestedModule,
    /// A call inside of another one would reset the instance under the outer one.
    #[error("it calls a function that it lifts itself")]
    CallsItself,
    /// What is made after the first lifted function is not known to what resets.
    #[error("a core module or instance comes after the first lifted function")]
    LateInstance,
    /// The contract has no such imports.
    #[error("it imports a core module")]
    ImportedModule,
    /// A component with a start function of its own.
    #[error("it has a component start function")]
    ComponentStart,
    /// The name is taken.
    #[error("{module}: an export has the name {name}, which the host needs")]
    Name { module: String, name: String },
    /// Every call of a handler of wasi:http is given resources, and their numbers tell the next call that there was one.
    #[error("it exports {0}, whose calls are given resources")]
    Handler(String),
    /// Something that cannot be written again as it stands there.
    #[error("{0}")]
    Encoding(String),
}
