//! The page on the admin surface: its files, which are part of the binary, and the headers that bound what it may do.
//!
//! Nothing in them is secret, so that they are there for everybody: a browser that follows a link shows no token, and comes
//! from another place. What the page then asks for passes the guard like any other request.

use super::answer::with_type;
use std::sync::LazyLock;
use warp::http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use warp::http::{HeaderMap, HeaderValue};
use warp::reply::Response;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");
const IMAGE: HeaderValue = HeaderValue::from_static("image/svg+xml");

static INDEX: LazyLock<String> = LazyLock::new(|| sent(include_str!("page/index.html")));

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("page/", $name)))),*] };
}

/// What the index names, directly or not, by its path below `/page/`.
static FILES: LazyLock<Vec<(&str, String)>> =
    LazyLock::new(|| SOURCES.iter().map(|(path, text)| (*path, sent(text))).collect());

/// The same as they are written.
const SOURCES: &[(&str, &str)] = files![
    "host/api.js",
    "host/history.js",
    "host/topology.js",
    "icon.svg",
    "main.js",
    "parts/command.js",
    "parts/dom.js",
    "parts/format.js",
    "parts/panel.js",
    "parts/picture.js",
    "parts/spark.js",
    "style.css",
    "views/actions.js",
    "views/call.js",
    "views/captures.js",
    "views/flow.js",
    "views/letters.js",
    "views/peers.js",
    "views/plugin.js",
    "views/plugins.js",
    "views/shadow.js",
    "views/tail.js",
];

/// No script, style or anything else than these files, no place inside of another page, and no word to anybody about it.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

/// The page itself.
pub(super) fn index() -> Response {
    answer(&INDEX, HTML)
}

/// A file that the page names, by its path; none of another path.
pub(super) fn file(path: &str) -> Option<Response> {
    let (_, text) = FILES.iter().find(|(known, _)| *known == path)?;
    let content_type = match path.rsplit('.').next() {
        Some("css") => STYLE,
        Some("svg") => IMAGE,
        _ => SCRIPT,
    };
    Some(answer(text, content_type))
}

/// A file without what is there for its readers alone: how far its lines are indented, and the lines of comments. No text of
/// a script goes over several lines, which a test holds.
fn sent(text: &str) -> String {
    let mut is_comment = false;
    let mut sent = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_start) {
        is_comment |= line.starts_with("/*");
        if !is_comment && !line.starts_with("//") && !line.is_empty() {
            sent += line;
            sent.push('\n');
        }
        is_comment &= !line.trim_end().ends_with("*/");
    }
    sent
}

fn answer(text: &'static str, content_type: HeaderValue) -> Response {
    let mut response = with_type(text, content_type);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.extend(HEADERS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Names in quotes behind `before`.
    fn named<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_file_is_named_and_every_name_is_a_file() {
        let mut wanted: BTreeSet<String> = named(&INDEX, "\"page/").map(str::to_owned).collect();
        for (path, text) in FILES.iter() {
            let folder = path.split_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            wanted.extend(named(text, "from \"./").map(|name| format!("{folder}{name}")));
            wanted.extend(named(text, "from \"../").map(str::to_owned));
        }
        assert_eq!(wanted, FILES.iter().map(|(path, _)| (*path).to_owned()).collect());
    }

    #[test]
    fn the_page_is_small() {
        let bytes: usize = INDEX.len() + FILES.iter().map(|(_, text)| text.len()).sum::<usize>();
        assert!(bytes < 100 << 10, "{bytes}");
    }

    #[test]
    fn what_is_sent_is_what_is_written_without_comments_and_indentation() {
        let written =
            "// A word.\na(`// b`); // c\n\n  /**\n   * d\n   */\n  e();\n  /** f */\n  /* g */\n  i: \"/* j\",\n";
        assert_eq!(sent(written), "a(`// b`); // c\ne();\ni: \"/* j\",\n");
        for (path, text) in SOURCES.iter().filter(|(path, _)| path.ends_with(".js")) {
            let unclosed = text.lines().find(|line| line.matches('`').count() % 2 == 1);
            assert!(unclosed.is_none(), "{path} has a text of several lines: {unclosed:?}");
        }
    }

    #[test]
    fn what_the_policy_forbids_is_not_there() {
        for (name, text) in FILES.iter().chain([&("index.html", INDEX.clone())]) {
            for forbidden in
                ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", " style=\"", "http://"]
            {
                let is_name_of_svg = |line: &str| line.contains("www.w3.org/2000/svg");
                let found = text.lines().find(|line| line.contains(forbidden) && !is_name_of_svg(line));
                assert!(found.is_none(), "{name} has {forbidden}: {found:?}");
            }
        }
    }
}
