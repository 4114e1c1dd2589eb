//! The imports of the host's sources: which folder may import from which, and that there are no cycles.

use super::directions::DIRECTIONS;
use super::rust_files;
use crate::harness::root;
use std::collections::{BTreeMap, BTreeSet};

/// The path of a module; that of the crate root is empty.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// The code of each module without comments and unit tests. `main.rs` and modules for fuzzing are left out.
fn sources() -> BTreeMap<Module, String> {
    let source = root().join("host/src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let mut modules = BTreeMap::new();
    for file in files {
        let path = file.strip_prefix(&source).unwrap().with_extension("");
        let mut module: Module = path.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        let name = module.last().unwrap().clone();
        if ["fuzzing", "main"].contains(&name.as_str()) || module.contains(&"tests".to_owned()) {
            continue;
        }
        if ["lib", "mod"].contains(&name.as_str()) {
            module.pop();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        modules.insert(module, lines.collect::<Vec<_>>().join("\n"));
    }
    modules
}

/// Expands a use tree with braces into its paths.
fn expand(text: &str, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let mut prefix = prefix.to_vec();
    prefix.extend((!name.is_empty()).then(|| name.to_owned()));
    let Some(rest) = rest.strip_prefix("::") else { return found.push(prefix) };
    let Some(inner) = rest.strip_prefix('{') else { return expand(rest, &prefix, found) };
    let (mut depth, mut from) = (1, 0);
    for (at, letter) in inner.char_indices() {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth == 0 || (depth == 1 && letter == ',') {
            expand(&inner[from..at], &prefix, found);
            from = at + 1;
        }
        if depth == 0 {
            return;
        }
    }
}

/// The paths in the code that begin with one of these words.
fn paths(code: &str, words: [&str; 2]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for word in words {
        for (at, _) in code.match_indices(&format!("{word}::")) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                expand(&code[at..], &[], &mut found);
            }
        }
    }
    found
}

/// The modules that each module imports from. A re-export counts as an import from the module that defines the item.
fn imports() -> Imports {
    let sources = sources();
    let mut reexports = BTreeMap::new();
    for (module, code) in &sources {
        for passage in code.split("\npub").skip(1) {
            let Some((_, tree)) = passage.split(';').next().unwrap().split_once("use ") else { continue };
            let mut found = Vec::new();
            expand(tree, &[], &mut found);
            for path in found.iter().filter(|path| path.len() > 1) {
                let name = [module.as_slice(), &path[path.len() - 1..]].concat();
                reexports.insert(name, [module.as_slice(), path].concat());
            }
        }
    }
    let owner = |path: &[String]| {
        let path = reexports.get(path).map_or(path, Vec::as_slice);
        (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|way| sources.contains_key(way)).unwrap()
    };
    let of = |(module, code): (&Module, &String)| {
        let absolute = paths(code, ["crate", "super"]).into_iter().map(|path| {
            let up = path.iter().take_while(|name| *name == "super").count();
            let base = if up == 0 { &[] } else { &module[..module.len() - up] };
            owner(&[base, &path[up.max(1)..]].concat())
        });
        (module.clone(), absolute.filter(|import| import != module).collect())
    };
    sources.iter().map(of).collect()
}

/// The imports between the files and folders of one folder.
fn within(folder: &[String], imports: &Imports) -> BTreeMap<String, BTreeSet<String>> {
    let child = |module: &Module| module.strip_prefix(folder)?.first().cloned();
    let mut within = BTreeMap::<_, BTreeSet<_>>::new();
    for (module, imports) in imports {
        let Some(from) = child(module) else { continue };
        let others = imports.iter().filter_map(child).filter(|to| *to != from).collect::<Vec<_>>();
        within.entry(from).or_default().extend(others);
    }
    within
}

#[test]
fn no_imports_run_in_a_circle() {
    let imports = imports();
    assert!(imports.len() > 100, "{}", imports.len());
    let folders: BTreeSet<&[String]> =
        imports.keys().flat_map(|module| (0..module.len()).map(|length| &module[..length])).collect();
    for folder in folders {
        let mut left = within(folder, &imports);
        // A module that imports from none of those left is in no cycle.
        while let Some(free) = left.iter().find(|(_, to)| !to.iter().any(|to| left.contains_key(to))) {
            let free = free.0.clone();
            left.remove(&free);
        }
        assert!(left.is_empty(), "in {folder:?}, each of these is in a circle or needs one: {left:#?}");
    }
}

#[test]
fn folders_import_from_where_they_may() {
    let imports = imports();
    let folders: BTreeSet<&[String]> =
        imports.keys().flat_map(|module| (0..module.len()).map(|length| &module[..length])).collect();
    for folder in &folders {
        for (child, others) in within(folder, &imports) {
            let path = [folder, &[child][..]].concat();
            if !folder.is_empty() && !folders.contains(path.as_slice()) {
                continue;
            }
            let path = path.join("::");
            let allowed = DIRECTIONS.iter().find(|(name, _)| *name == path).map_or(&[][..], |(_, allowed)| allowed);
            for other in others.iter().filter(|other| *other != "config") {
                assert!(allowed.contains(&other.as_str()), "{path} imports from {other}");
            }
        }
    }
}
