//! The statuses of HTTP: the mapping of `http/problem/status.rs`, and what each problem is.

use super::source;
use std::collections::BTreeMap;
use std::fmt::Write;

const PREFACE: &str = "
## Statuses

`GET /NAME/?param=X` (or `Param`) makes X the message; `POST /NAME/` takes any bytes as its body. The other query pairs become
`query.NAME` metadata. The answer, 200, is the returned message, which by then has its place in the publish queue; 204 says that the
plugin filtered it, and nothing is published. HEAD publishes nothing. Everything else is an error as `application/problem+json`
(RFC 9457), whose `detail` says what to do; a 503 has `Retry-After`.

| status | when | reason in the ledger |
| --- | --- | --- |
";

pub fn section() -> String {
    let (problems, calls) = (source::file("http/problem.rs"), source::file("plugin/call.rs"));
    let statuses_of_problems = source::file("http/problem/status.rs");
    let (problem, call) = (source::enumeration(&problems, "Problem"), source::enumeration(&calls, "CallError"));
    let names = super::reasons::names();
    let reasons: BTreeMap<_, _> = source::table(&calls, "CallError", "reason")
        .into_iter()
        .map(|(variant, reason)| (variant, names[&source::last_name(&reason)].clone()))
        .collect();
    let mut rows = Vec::new();
    for (variant, status) in source::table(&statuses_of_problems, "Problem", "status") {
        // It stands for all failures of calls, which follow.
        if variant != ["Failed"] {
            rows.push((code(&source::last_name(&status)), source::variant(&problem, &variant[0]), String::new()));
        }
    }
    let statuses: BTreeMap<_, _> = source::table(&statuses_of_problems, "Problem", "status_of")
        .into_iter()
        .map(|(fault, status)| (fault[0].clone(), code(&source::last_name(&status))))
        .collect();
    for (variant, fault) in source::table(&calls, "CallError", "fault") {
        let reason = format!("`{}`", reasons[&variant]);
        rows.push((statuses[&source::last_name(&fault)], source::variant(&call, &variant[0]), reason));
    }
    assert_eq!(rows.len(), problem.variants.len() - 1 + call.variants.len(), "each problem has its row");
    rows.sort_by_key(|(status, ..)| status.as_u16());
    let mut text = PREFACE.to_owned();
    for (status, docs, reason) in rows {
        writeln!(text, "| {status} | {docs} | {reason} |").unwrap();
    }
    text
}

/// The status that has this name in `StatusCode`.
fn code(name: &str) -> warp::http::StatusCode {
    let named = |status: &warp::http::StatusCode| {
        let reason = status.canonical_reason().unwrap_or_default();
        reason.to_uppercase().replace(' ', "_") == name
    };
    let mut statuses = (100..600).filter_map(|code| warp::http::StatusCode::from_u16(code).ok());
    statuses.find(named).unwrap_or_else(|| panic!("there is no status {name}"))
}
