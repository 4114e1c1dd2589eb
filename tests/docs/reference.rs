//! docs/reference.md is what the code says, item by item; `TIDEGATE_BLESS=1 cargo test reference` writes it anew.

mod admin;
mod bounds;
mod command_line;
mod configuration;
mod metrics;
mod reasons;
mod source;
mod statuses;

use crate::harness::root;
use std::fmt::Write;

const PREFACE: &str = "<!-- Made from the code by tests/docs/reference.rs: `TIDEGATE_BLESS=1 cargo test reference` -->

# Reference

[Command line](#command-line) · [Exit codes](#exit-codes) · [Configuration](#configuration) · [Fixed bounds](#fixed-bounds) ·
[Statuses](#statuses) · [Admin surface](#admin-surface) · [Ledger](#ledger) · [Metrics](#metrics)

What one does with all this is in [operating](operating.md); what to do about an error in [troubleshooting](troubleshooting.md).
";

#[test]
fn the_reference_is_made_from_the_code() {
    let sections = [
        command_line::section(),
        exit_codes(),
        configuration::section(),
        bounds::section(),
        statuses::section(),
        admin::section(),
        reasons::section(),
        metrics::section(),
    ];
    let made = PREFACE.to_owned() + &sections.concat();
    let path = root().join("docs/reference.md");
    if std::env::var_os("TIDEGATE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(found.lines()).find(|(made, found)| made != found);
    assert!(found == made, "docs/reference.md is stale: run TIDEGATE_BLESS=1 cargo test reference\n{differs:#?}");
}

fn exit_codes() -> String {
    let mut text = "\n## Exit codes\n\n| code | when |\n| --- | --- |\n".to_owned();
    for item in source::file("system/exit_code.rs").items {
        let syn::Item::Const(code) = item else { continue };
        writeln!(text, "| {} | {} |", source::number(&code.expr, &|_| None), source::docs(&code.attrs)).unwrap();
    }
    text
}
