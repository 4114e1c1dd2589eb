//! The reasons of the ledger.

use super::source;
use std::collections::BTreeMap;
use std::fmt::Write;

const PREFACE: &str = "
## Ledger

`GET /ledger` on the admin surface and the last words on stderr: at each hop and for each plugin in = out + dropped + in flight. What
was dropped is counted by reason; [what to do about each](troubleshooting.md#reasons-in-the-ledger).

| reason | what it is |
| --- | --- |
";

pub fn section() -> String {
    let reason = source::enumeration(&source::file("ledger/reason.rs"), "Reason");
    let mut text = PREFACE.to_owned();
    for (variant, name) in names() {
        writeln!(text, "| `{name}` | {} |", source::variant(&reason, &variant)).unwrap();
    }
    text
}

/// The name of each reason, by its variant.
pub fn names() -> BTreeMap<String, String> {
    let table = source::table(&source::file("ledger/reason.rs"), "Reason", "as_str");
    let named = table.into_iter().map(|(variant, name)| {
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) = name else { panic!("no name") };
        (variant.concat(), name.value())
    });
    named.collect()
}
