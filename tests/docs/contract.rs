//! docs/contract.md is what the WIT says, item by item; `TIDEGATE_BLESS=1 cargo test contract` writes it anew.

use crate::harness::root;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fmt::Write;
use wit_parser::{
    Docs, Function, InterfaceId, Package, Resolve, Type, TypeDefKind, TypeId, UnresolvedPackageGroup, World, WorldId,
    WorldItem,
};

const PREFACE: &str = "<!-- Made from wit/ by tests/docs/contract.rs: `TIDEGATE_BLESS=1 cargo test contract` -->

# The contract

What a plugin exports and what it may import. The source is [`wit/`](../wit/), with earlier versions in folders below; a
version that was published never changes, and its components load for ever. A component exports one of the roles or
several, and a host finds out which. [Rust](rust.md), [Python](python.md),
[JavaScript](javascript.md) and [C](c.md) each have a page about how their toolchain takes it.

A plugin returns data, and the host performs every effect. Beyond what is listed here it may import two things that do something
during its call: a [handler](handlers.md) sends requests to hosts that it is granted, and any plugin keeps keys and values in
[buckets](buckets.md) that it is granted, by `wasi:keyvalue`. Both are the host's to do, and in a call that serves nobody neither
is done.
";

const EARLIER: &str = "Its `transform` serves as a processor of one: it is called with messages of one frame, the body, \
     or of two, a topic of UTF-8 and the body, and refuses others (`rejected`); what it returns goes on as one frame, or \
     two if it has a topic. A component that exports a role in several versions is called by the newest. It may import \
     what one of the newest version may.\n";

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

/// The digest of each file of a published version, which never changes.
const PUBLISHED: [(&str, &str); 4] = [
    ("0.1.0/reply-policy.wit", "37d9bcabf9a98ba12d2c4b5b0c3bc2798513e14349387670d92208bd44e6e08b"),
    ("0.1.0/transform.wit", "64ac4bfc58751f3d4d628ba31a748a6261b529042f67184165276d796829ed80"),
    ("0.1.0/types.wit", "900e6a4d14d183297da072b14ab0944d3820d28bd0053a0d3a52b33e95decafc"),
    ("0.1.0/worlds.wit", "c588bbe0a1cd2ec0217bc43db70a254c527521b7fe304c6622e40cd104ebf495"),
];

#[test]
fn a_published_version_never_changes() {
    let wit = root().join("wit");
    for (file, digest) in PUBLISHED {
        let content = std::fs::read(wit.join(file)).unwrap();
        let found: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, digest, "wit/{file} is published: put what changes into a version of its own");
    }
    let files = std::fs::read_dir(wit.join("0.1.0")).unwrap().map(|entry| entry.unwrap().file_name());
    let is_wit = |name: &OsString| name.to_string_lossy().ends_with(".wit");
    assert_eq!(files.filter(is_wit).count(), PUBLISHED.len());
}

fn reference() -> String {
    let mut resolve = Resolve::default();
    let (newest, _) = resolve.push_dir(root().join("wit")).expect("wit/ is well-formed");
    let earlier = UnresolvedPackageGroup::parse_dir(root().join("wit/0.1.0")).expect("wit/0.1.0/ is well-formed");
    let earlier = resolve.push_group(earlier).expect("wit/0.1.0/ needs only what wit/ has");
    let newest = &resolve.packages[newest];
    let mut text = format!("{PREFACE}\nPackage `{}`\n", newest.name);
    package(&resolve, newest, "##", &mut text);
    text += "\n";
    text += &imports(&resolve, &resolve.worlds[newest.worlds["imports"]]);
    let earlier = &resolve.packages[earlier];
    write!(text, "\n## Earlier: package `{}`\n\n{EARLIER}", earlier.name).unwrap();
    package(&resolve, earlier, "###", &mut text);
    text + "\n"
}

/// What a package has, with headings that begin at this level.
fn package(resolve: &Resolve, package: &Package, level: &str, text: &mut String) {
    let mut interfaces: Vec<_> = package.interfaces.iter().collect();
    // What the others use comes first.
    interfaces.sort_by_key(|(name, _)| *name != "types");
    for (name, id) in interfaces {
        write!(text, "\n{level} `{name}`\n\n").unwrap();
        interface(resolve, *id, level, text);
    }
    write!(text, "\n{level} Worlds\n").unwrap();
    for id in package.worlds.values() {
        world(resolve, *id, text);
    }
}

/// A doc comment as a paragraph on one line, as Markdown shows it anyway.
fn prose(docs: &Docs) -> String {
    docs.contents.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn interface(resolve: &Resolve, id: InterfaceId, level: &str, text: &mut String) {
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
        write!(text, "\n{level}# {kind} `{name}`\n\n{}\n\n| | |\n| --- | --- |\n", prose(&definition.docs)).unwrap();
        for (item, docs) in items {
            writeln!(text, "| `{item}` | {docs} |").unwrap();
        }
    }
    for function in interface.functions.values() {
        let docs = prose(&function.docs);
        write!(
            text,
            "\n{level}# func `{}`\n\n```wit\n{}\n```\n\n{docs}\n",
            function.name,
            signature(resolve, function)
        )
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
