//! Checks of a ledger that a host reports: in = out + dropped + in flight.

use serde_json::{Map, Value, json};

/// Asserts in = out + dropped + in flight for every hop and plugin of a ledger.
#[track_caller]
pub fn assert_even(ledger: &Value) {
    for (name, figures) in rows(ledger) {
        let number = |key: &str| figures[key].as_u64().unwrap_or_else(|| panic!("{name} lacks {key}: {figures}"));
        let dropped: u64 = figures["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(number("in"), number("out") + dropped + number("in_flight"), "{name}: {figures}");
    }
}

/// Asserts that the ledger at the end of a host's stderr adds up and that nothing is in flight.
#[track_caller]
pub fn assert_balanced(stderr: &str) {
    let ledger = at_exit(stderr);
    assert_even(&ledger);
    for (name, figures) in rows(&ledger) {
        assert_eq!(figures["in_flight"], 0, "{name}: {figures}");
    }
}

/// The ledger at the end of a host's stderr, from its table or its line of JSON, in the form of `GET /ledger`.
#[track_caller]
pub fn at_exit(stderr: &str) -> Value {
    if let Some(line) = stderr.lines().rfind(|line| line.starts_with("{\"ledger\"")) {
        return serde_json::from_str::<Value>(line).unwrap()["ledger"].take();
    }
    let lines = stderr.lines().skip_while(|line| !line.starts_with("HOP "));
    let mut parts = Vec::<Map<String, Value>>::new();
    for line in lines.take_while(|line| !line.starts_with("abandoned=")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words[1..] == ["IN", "OUT", "DROPPED", "IN-FLIGHT", "REASONS"] {
            parts.push(Map::new());
            continue;
        }
        let number = |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("no figure of the ledger: {line}"));
        let pairs = words[5..].iter().map(|pair| pair.split_once('=').expect("a reason and its count"));
        let dropped: Map<_, _> = pairs.map(|(reason, count)| (reason.to_owned(), number(count).into())).collect();
        assert_eq!(number(words[3]), dropped.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), "{line}");
        let figures = json!({
            "in": number(words[1]), "out": number(words[2]), "in_flight": number(words[4]), "dropped": dropped,
        });
        parts.last_mut().unwrap().insert(words[0].to_owned(), figures);
    }
    assert!(!parts.is_empty(), "no ledger at the end of stderr:\n{stderr}");
    // Those of events, captures and traces are there only where there are any, and what is configured has its own below its table's name.
    let hops = parts[0]
        .keys()
        .filter(|name| !["capture", "events", "traces"].contains(&name.as_str()) && !name.contains(['.', ':']))
        .count();
    assert_eq!(hops, 8, "a row for each hop:\n{stderr}");
    json!({"hops": parts[0], "plugins": parts.get(1).cloned().unwrap_or_default()})
}

fn rows(ledger: &Value) -> impl Iterator<Item = (&String, &Value)> {
    ["hops", "plugins"].into_iter().flat_map(|part| ledger[part].as_object().expect("a part of the ledger"))
}
