//! The imports of the host's sources: which folder may import from which, and that there are no cycles.

use super::rust_files;
use crate::harness::root;
use std::collections::{BTreeMap, BTreeSet};

/// The path of a module; that of the crate root is empty.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// The folders, and the files at the top, with what each may import from beside itself and `config`. Those that are not listed
/// import from `config` only.
const DIRECTIONS: [(&str, &[&str]); 101] = [
    (
        "app",
        &["flow", "http", "ledger", "messaging", "plugin", "record", "rehearsal", "request_id", "system", "traces"],
    ),
    ("app::flows", &["builder", "http", "pools", "sockets"]),
    ("app::http", &["builder", "events", "pools", "surfaces"]),
    ("app::reload", &["flows", "http", "notice", "sockets", "through"]),
    (
        "cli",
        &[
            "app",
            "clients",
            "flow",
            "http",
            "ledger",
            "merge_patch",
            "messaging",
            "oci",
            "plugin",
            "record",
            "rehearsal",
            "system",
        ],
    ),
    ("cli::capture", &["output", "plugin", "traffic"]),
    ("cli::dead_letters", &["compile_cache", "log", "output", "plugin", "traffic"]),
    ("cli::flow", &["compile_cache", "output", "plugin"]),
    ("cli::flow::test", &["offline"]),
    ("cli::ledger", &["output", "plugin"]),
    ("cli::plugin", &["compile_cache", "log", "output", "serve"]),
    ("cli::plugin::build", &["sources"]),
    ("cli::plugin::call", &["admin", "bounds", "workbench"]),
    ("cli::plugin::diff", &["workbench"]),
    ("cli::plugin::shadow", &["admin"]),
    ("cli::plugin::dev", &["admin", "changes", "source_folder", "test", "workbench"]),
    ("cli::replay", &["clients", "dead_letters", "flow", "output", "traffic"]),
    ("cli::replay::through", &["outlet", "tally"]),
    ("cli::serve", &["log", "output"]),
    ("cli::top", &["output", "plugin"]),
    ("cli::top::figures", &["feed"]),
    ("cli::traffic", &["output", "plugin"]),
    ("cli::workers", &["output", "plugin"]),
    ("clients", &["append", "flow", "messaging", "system"]),
    ("clients::subscriber", &["handshake", "line", "log_file"]),
    ("clients::worker", &["handshake"]),
    ("clients::worker::core", &["majordomo"]),
    ("config::capture", &["document", "limits"]),
    ("config::http", &["address", "limits"]),
    ("config::messaging", &["address", "limits"]),
    ("config::plugin", &["comparison", "limits", "place", "streams"]),
    ("config::streams", &["address", "document", "http", "limits", "messaging"]),
    ("config::streams::check", &["flow", "in_force", "route", "socket", "workers"]),
    ("flow", &["ledger", "traces"]),
    (
        "flow::stream",
        &[
            "call_time_estimate",
            "inlet",
            "mailbox",
            "message",
            "met",
            "recording",
            "simulation",
            "sink",
            "stage",
            "statistics",
            "surface",
            "taps",
        ],
    ),
    ("flow::taps", &["inlet", "mailbox", "message"]),
    ("flow::chain", &["message", "met", "recording", "stage"]),
    ("flow::recording", &["message", "stage", "taps"]),
    ("flow::surface", &["message", "stage", "statistics"]),
    ("flow::stream::core", &["busy", "item", "lanes", "parts"]),
    ("flow::stream::simulation", &["core", "parts"]),
    (
        "http",
        &[
            "byte_budget",
            "flow",
            "ledger",
            "log_limit",
            "merge_patch",
            "messaging",
            "plugin",
            "record",
            "rehearsal",
            "request_id",
            "system",
            "traces",
        ],
    ),
    ("http::admin", &["answer", "page", "problem", "query", "route", "server"]),
    ("http::admin::call", &["flows", "plugins"]),
    ("http::admin::dead_letters", &["call", "flows"]),
    ("http::admin::live", &["metrics", "readiness", "workers"]),
    ("http::admin::live::tail", &["sse"]),
    ("http::admin::metrics", &["accept"]),
    ("http::admin::plugins", &["query"]),
    ("http::coding", &["problem"]),
    ("http::events", &["problem", "query", "server"]),
    ("http::events::directory", &["event", "queue"]),
    ("http::events::hub", &["directory", "event", "ring"]),
    ("http::events::simulation", &["event", "hub", "open", "stream"]),
    ("http::page", &["answer"]),
    ("http::public", &["answer", "coding", "events", "problem", "query", "route", "server"]),
    ("http::route", &["problem", "server"]),
    ("http::server", &["answer", "problem"]),
    (
        "http::server::middleware",
        &[
            "answer_body",
            "connection_timeouts",
            "framing",
            "head",
            "overload",
            "refusals",
            "request_body",
            "statistics",
            "token",
            "trace",
        ],
    ),
    ("http::sockets", &["problem", "server", "websocket"]),
    ("http::websocket", &["events", "problem", "server"]),
    ("http::websocket::events", &["close", "connection", "subprotocol", "zws"]),
    ("http::websocket::zws", &["close", "subprotocol"]),
    (
        "messaging",
        &["byte_budget", "flow", "ledger", "log_limit", "plugin", "record", "request_id", "system", "traces"],
    ),
    ("messaging::broker", &["curve", "socket", "spans"]),
    ("messaging::broker::core", &["envelope", "origin"]),
    ("messaging::broker::core::simulation", &["action", "call", "reply", "state"]),
    ("messaging::curve", &["socket"]),
    ("messaging::curve::authorized_keys", &["key_file", "key_look"]),
    ("messaging::publisher", &["batching", "curve", "socket", "spans", "stream"]),
    ("messaging::publisher::core::simulation", &["action"]),
    ("messaging::publisher::publish_loop", &["core", "settings"]),
    ("messaging::socket::monitor", &["refusals", "statistics"]),
    ("messaging::stream", &["batching", "curve", "socket", "spans"]),
    ("messaging::workers", &["curve", "socket"]),
    ("messaging::workers::core", &["codec", "counts", "protocol", "reply"]),
    ("plugin", &["byte_budget", "flow", "ledger", "log_limit", "oci", "system", "traces"]),
    ("plugin::load", &["call", "handler_request", "role", "roles", "run"]),
    ("plugin::load::compiler", &["reset"]),
    ("plugin::load::examples", &["busy_retry", "file"]),
    ("plugin::roles", &["call", "handler_fields", "handler_request", "role", "run"]),
    ("plugin::roles::contract", &["instances", "role", "stage_role", "warm"]),
    ("plugin::run", &["call", "role"]),
    ("plugin::run::guest", &["deterministic_random", "instance_permit", "meter", "plugin_state"]),
    ("plugin::slot", &["call", "load", "role", "roles", "run"]),
    ("plugin::slot::history", &["condemned", "generation_counts", "health"]),
    ("plugin::slot::loading", &["condemned", "history"]),
    ("plugin::slot::slots", &["condemned", "held", "kept", "loading"]),
    ("plugin::watch", &["load", "slot"]),
    ("record", &["append", "flow", "ledger", "log_limit", "system"]),
    ("record::capture", &["choice"]),
    ("record::capture::reader", &["format", "record"]),
    ("record::dead_letters", &["choice"]),
    ("record::compare", &["dead_letters"]),
    ("record::replay", &["capture", "choice", "dead_letters", "traffic"]),
    ("record::traffic", &["capture", "choice", "dead_letters"]),
    ("rehearsal", &["flow", "ledger", "plugin", "record", "system"]),
    ("rehearsal::gate", &["callers", "captured_call", "runner", "selection", "source"]),
    ("rehearsal::shadow", &["callers", "chain", "runner"]),
    ("system::file_watch", &["fail_point", "supervisor"]),
    ("traces", &["byte_budget", "ledger", "log_limit", "system"]),
];

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
