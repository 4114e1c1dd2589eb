//! The bounds that no configuration changes.

use super::source;
use std::collections::BTreeMap;
use std::fmt::Write;
use syn::{Expr, Item, Lit};

const PREFACE: &str = "
## Fixed bounds

The same in every host; they stand in `host/src/config/bounds.rs`, those of captures, of comparisons, of names, of
registries and of buckets in `capture/bounds.rs`, `comparison/bounds.rs`, `messaging/bounds.rs`, `oci/bounds.rs` and
`plugin/bucket/bounds.rs` beside it.

| what | bound | name |
| --- | --- | --- |
";

pub fn section() -> String {
    let mut text = PREFACE.to_owned();
    let mut known = BTreeMap::new();
    let files = [
        "bounds.rs",
        "capture/bounds.rs",
        "comparison/bounds.rs",
        "messaging/bounds.rs",
        "oci/bounds.rs",
        "plugin/bucket/bounds.rs",
    ];
    let files = files.map(|file| source::file(&format!("config/{file}")));
    for item in files.into_iter().flat_map(|file| file.items) {
        let Item::Const(item) = item else { continue };
        let name = item.ident.to_string();
        let bound = match &*item.expr {
            Expr::Lit(literal) if matches!(literal.lit, Lit::Str(_)) => continue,
            expression => source::number(expression, &|name| known.get(name).copied()),
        };
        known.insert(name.clone(), bound);
        let docs = source::docs(&item.attrs);
        writeln!(text, "| {docs} | {} | `{name}` |", source::amount(&name, bound)).unwrap();
    }
    text
}
