//! What stands in the folder of a new plugin: the files of `plugins/templates/`, which are inside this program, so that
//! one that is installed needs no checkout.

use super::{Language, Role};
use std::path::Path;

/// What the templates call the plugin.
const PLACEHOLDER: &str = "my-plugin";

/// The text of a file of the repository.
macro_rules! repository {
    ($path:expr) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", $path))
    };
}

macro_rules! template {
    ($path:expr) => {
        repository!(concat!("plugins/templates/", $path))
    };
}

/// Files of the contract, each where a package that depends on it is looked for.
macro_rules! contract {
    ($($from:literal => $to:literal),* $(,)?) => {
        [$(($to, repository!(concat!("wit/", $from)))),*]
    };
}

const CONTRACT: [(&str, &str); 9] = contract! {
    "types.wit" => "wit/deps/tidegate/types.wit",
    "processor.wit" => "wit/deps/tidegate/processor.wit",
    "reply-policy.wit" => "wit/deps/tidegate/reply-policy.wit",
    "worlds.wit" => "wit/deps/tidegate/worlds.wit",
    "deps/clocks.wit" => "wit/deps/clocks.wit",
    "deps/config.wit" => "wit/deps/config.wit",
    "deps/io.wit" => "wit/deps/io.wit",
    "deps/logging.wit" => "wit/deps/logging.wit",
    "deps/random.wit" => "wit/deps/random.wit",
};

/// What a plugin imports that is granted buckets; no world of the contract does.
const KEYVALUE: (&str, &str) = ("wit/deps/keyvalue.wit", repository!("host/wit/keyvalue.wit"));

/// The files of a new plugin: where in its folder, and what is in them.
pub(super) fn files(language: Language, role: Role, name: &str) -> Vec<(&'static str, String)> {
    // The interfaces of a handler are not those of the contract; the crate that it uses has them.
    let (own, contract) = match role {
        Role::HttpHandler => (of_handler(), Vec::new()),
        role => (
            of_language(language, role).into_iter().chain(of_role(role)).collect(),
            CONTRACT.into_iter().chain([KEYVALUE]).collect(),
        ),
    };
    let own = own.into_iter().map(|(path, text)| (path, text.replace(PLACEHOLDER, name)));
    own.chain(contract.into_iter().map(|(path, text)| (path, text.to_owned()))).collect()
}

/// The file that `plugin build` makes beside the folder: named after the crate, else after the folder; none if the path
/// of the folder does not end in its name.
pub(super) fn built_name(language: Language, name: &str, dir: &Path) -> Option<String> {
    let folder = dir.file_name()?.to_string_lossy();
    Some(format!("{}.wasm", if language == Language::Rust { name } else { &folder }))
}

fn of_role(role: Role) -> [(&'static str, &'static str); 2] {
    let (examples, world) = if role == Role::Processor {
        (template!("examples.processor.toml"), template!("world.processor.wit"))
    } else {
        (template!("examples.reply-policy.toml"), template!("world.reply-policy.wit"))
    };
    [("examples.toml", examples), ("wit/world.wit", world)]
}

/// In Rust.
fn of_handler() -> Vec<(&'static str, &'static str)> {
    vec![
        ("README.md", template!("rust-handler/README.md")),
        (".gitignore", template!("rust/gitignore")),
        ("examples.toml", template!("examples.http-handler.toml")),
        ("Cargo.toml", template!("rust-handler/Cargo.toml")),
        ("src/lib.rs", template!("rust-handler/src/lib.rs")),
        ("src/panic_text.rs", template!("rust-handler/src/panic_text.rs")),
    ]
}

fn of_language(language: Language, role: Role) -> Vec<(&'static str, &'static str)> {
    let is_processor = role == Role::Processor;
    let either = |processor, reply_policy| if is_processor { processor } else { reply_policy };
    match language {
        Language::Rust => vec![
            ("README.md", template!("rust/README.md")),
            (".gitignore", template!("rust/gitignore")),
            ("Cargo.toml", template!("rust/Cargo.toml")),
            ("build.rs", template!("rust/build.rs")),
            ("src/lib.rs", either(template!("rust/src/lib.processor.rs"), template!("rust/src/lib.reply-policy.rs"))),
            ("src/memory.rs", template!("rust/src/memory.rs")),
            ("src/panic_text.rs", template!("rust/src/panic_text.rs")),
            // The one that our own guests have.
            ("src/memory/growth.rs", repository!("plugins/arena/src/growth.rs")),
        ],
        Language::Python => vec![
            ("README.md", template!("python/README.md")),
            (".gitignore", template!("python/gitignore")),
            ("requirements.txt", template!("python/requirements.txt")),
            ("pyproject.toml", template!("python/pyproject.toml")),
            ("app.py", either(template!("python/app.processor.py"), template!("python/app.reply-policy.py"))),
        ],
        Language::JavaScript => vec![
            ("README.md", template!("javascript/README.md")),
            (".gitignore", template!("javascript/gitignore")),
            ("package.json", template!("javascript/package.json")),
            ("package-lock.json", template!("javascript/package-lock.json")),
            ("jsconfig.json", template!("javascript/jsconfig.json")),
            ("app.js", either(template!("javascript/app.processor.js"), template!("javascript/app.reply-policy.js"))),
        ],
        Language::TypeScript => vec![
            ("README.md", template!("typescript/README.md")),
            (".gitignore", template!("javascript/gitignore")),
            ("package.json", template!("typescript/package.json")),
            ("package-lock.json", template!("typescript/package-lock.json")),
            ("tsconfig.json", template!("typescript/tsconfig.json")),
            ("app.ts", either(template!("typescript/app.processor.ts"), template!("typescript/app.reply-policy.ts"))),
        ],
        Language::C => vec![
            ("README.md", template!("c/README.md")),
            (".gitignore", template!("c/gitignore")),
            ("Makefile", template!("c/Makefile")),
            ("app.c", either(template!("c/app.processor.c"), template!("c/app.reply-policy.c"))),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a file that is added to the contract, new plugins must have a copy too.
    #[test]
    fn the_whole_contract_is_embedded() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let in_directory = |directory: &Path| {
            let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
            let names = names.map(|name| name.to_string_lossy().into_owned());
            names.filter(|name| name.ends_with(".wit")).count()
        };
        assert_eq!(in_directory(&wit) + in_directory(&wit.join("deps")), CONTRACT.len());
    }
}
