//! docs/contract.md is what the WIT says, item by item; `TIDEGATE_BLESS=1 cargo test contract` writes it anew.

use crate::harness::root;
use std::fmt::Write;
use wit_parser::{Docs, Function, InterfaceId, Resolve, Type, TypeDefKind, TypeId, World, WorldId, WorldItem};

const PREFACE: &str = "<!-- Made from wit/ by tests/docs/contract.rs: `TIDEGATE_BLESS=1 cargo test contract` -->

# The contract

What a plugin exports and what it may import. The source is [`wit/`](../wit/); a version that was published never changes.
A component exports one of the roles or several, and a host finds out which. [Rust](rust.md), [Python](python.md),
[JavaScript](javascript.md) and [C](c.md) each have a page about how their toolchain takes it.
";

#[test]
fn the_contracts_reference_is_made_from_the_wit() {
    let path = root().join("docs/contract.md");
    let made = reference();
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == made, "docs/contract.md is stale: run TIDEGATE_BLESS=1 cargo test contract\n{made}");
}

fn reference() -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).expect("wit/ is well-formed");
    let package = &resolve.packages[package];
    let mut text = format!("{PREFACE}\nPackage `{}`\n", package.name);
    let mut interfaces: Vec<_> = package.interfaces.iter().collect();
    // What the others use comes first.
    interfaces.sort_by_key(|(name, _)| *name != "types");
    for (name, id) in interfaces {
        write!(text, "\n## `{name}`\n\n").unwrap();
        interface(&resolve, *id, &mut text);
    }
    text += "\n## Worlds\n";
    for id in package.worlds.values() {
        world(&resolve, *id, &mut text);
    }
    text + "\n" + &imports(&resolve, &resolve.worlds[package.worlds["imports"]])
}

/// A doc comment as a paragraph on one line, as Markdown shows it anyway.
fn prose(docs: &Docs) -> String {
    docs.contents.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn interface(resolve: &Resolve, id: InterfaceId, text: &mut String) {
    let interface = &resolve.interfaces[id];
    if !prose(&interface.docs).is_empty() {
        writeln!(text, "{}", prose(&interface.docs)).unwrap();
    }
    for (name, id) in &interface.types {
        let definition = &resolve.types[*id];
        let items: Vec<(String, String)> = match &definition.kind {
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|field| (format!("{}: {}", field.name, of_type(resolve, &field.ty)), prose(&field.docs)))
                .collect(),
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|case| {
                    let held = case.ty.map(|held| format!("({})", of_type(resolve, &held)));
                    (format!("{}{}", case.name, held.unwrap_or_default()), prose(&case.docs))
                })
                .collect(),
            TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| (case.name.clone(), prose(&case.docs))).collect(),
            // Taken over from another interface, where it is told of.
            _ => continue,
        };
        let kind = definition.kind.as_str();
        write!(text, "\n### {kind} `{name}`\n\n{}\n\n| | |\n| --- | --- |\n", prose(&definition.docs)).unwrap();
        for (item, docs) in items {
            writeln!(text, "| `{item}` | {docs} |").unwrap();
        }
    }
    for function in interface.functions.values() {
        let docs = prose(&function.docs);
        write!(text, "\n### func `{}`\n\n```wit\n{}\n```\n\n{docs}\n", function.name, signature(resolve, function))
            .unwrap();
    }
}

fn world(resolve: &Resolve, id: WorldId, text: &mut String) {
    let world = &resolve.worlds[id];
    write!(text, "\n- `{}`: {}", world.name, prose(&world.docs)).unwrap();
    for (key, _) in &world.exports {
        write!(text, " Exports `{}`.", resolve.name_world_key(key)).unwrap();
    }
}

/// What every world offers, with the functions of each.
fn imports(resolve: &Resolve, world: &World) -> String {
    let mut text = format!("\n## What a plugin may import\n\n{}\n", prose(&world.docs));
    for (key, item) in &world.imports {
        let WorldItem::Interface { id, docs, .. } = item else { continue };
        // Without a line of ours it is there only since another one uses its types.
        if prose(docs).is_empty() {
            continue;
        }
        write!(text, "\n### `{}`\n\n{}\n\n```wit\n", resolve.name_world_key(key), prose(docs)).unwrap();
        for function in resolve.interfaces[*id].functions.values() {
            writeln!(text, "{}", signature(resolve, function)).unwrap();
        }
        text += "```\n";
    }
    text
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let typed = |(name, ty): (&str, &Type)| format!("{name}: {}", of_type(resolve, ty));
    let takes: Vec<_> = function.params.iter().map(|param| typed((&param.name, &param.ty))).collect();
    let gives = function.result.map(|result| format!(" -> {}", of_type(resolve, &result)));
    format!("{}: func({}){};", function.name, takes.join(", "), gives.unwrap_or_default())
}

/// A type as the WIT writes it.
fn of_type(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => of_definition(resolve, *id),
        plain => format!("{plain:?}").to_lowercase(),
    }
}

fn of_definition(resolve: &Resolve, id: TypeId) -> String {
    let definition = &resolve.types[id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let of = |ty: &Type| of_type(resolve, ty);
    let or_none = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), of);
    match &definition.kind {
        TypeDefKind::List(item) => format!("list<{}>", of(item)),
        TypeDefKind::Option(item) => format!("option<{}>", of(item)),
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", tuple.types.iter().map(of).collect::<Vec<_>>().join(", ")),
        TypeDefKind::Result(result) => format!("result<{}, {}>", or_none(&result.ok), or_none(&result.err)),
        TypeDefKind::Handle(wit_parser::Handle::Own(id) | wit_parser::Handle::Borrow(id)) => {
            of_definition(resolve, *id)
        }
        TypeDefKind::Type(ty) => of(ty),
        other => other.as_str().to_owned(),
    }
}
