//! A strict parser of both text formats of metrics.

use std::collections::{BTreeMap, BTreeSet};

/// The text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The text format 0.0.4 of Prometheus.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

/// All samples by name and labels, as written in the text, and the kind of each family.
#[derive(Debug, Default)]
pub struct Exposition {
    pub samples: BTreeMap<String, f64>,
    pub kinds: BTreeMap<String, String>,
}

/// The metric family whose lines are being read.
#[derive(Debug, Default)]
struct Family {
    name: String,
    helped: bool,
    kind: String,
    has_samples: bool,
}

impl Exposition {
    /// Parses a text; panics if it is not valid.
    #[track_caller]
    pub fn read(text: &str, form: Form) -> Self {
        let body = match form {
            Form::Prometheus => text,
            Form::OpenMetrics => text.strip_suffix("# EOF\n").expect("ends with # EOF"),
        };
        assert!(body.ends_with('\n'), "the last line has an end");
        let mut read = Self::default();
        let mut family = Family::default();
        for line in body.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => read.comment(&mut family, comment, form),
                None => read.sample(&mut family, line, form),
            }
        }
        read.check_histograms();
        read
    }

    /// The value of a sample.
    #[track_caller]
    pub fn value(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.samples))
    }

    #[track_caller]
    fn comment(&mut self, family: &mut Family, comment: &str, form: Form) {
        let (keyword, rest) = comment.split_once(' ').expect("a keyword");
        let (name, value) = rest.split_once(' ').expect("a name, and a value");
        assert_name(name);
        if name != family.name || family.has_samples {
            assert!(!self.kinds.contains_key(name), "{name} comes twice, or its samples are not together");
            *family = Family { name: name.to_owned(), ..Family::default() };
        }
        match keyword {
            "HELP" => {
                assert!(!std::mem::replace(&mut family.helped, true), "{name} has two texts");
                assert!(!value.contains(['"', '\\']), "{name}: to be escaped: {value}");
            }
            "TYPE" => {
                let kinds: &[&str] = match form {
                    Form::Prometheus => &["counter", "gauge", "histogram", "summary", "untyped"],
                    Form::OpenMetrics => {
                        &["counter", "gauge", "histogram", "gaugehistogram", "stateset", "info", "summary", "unknown"]
                    }
                };
                assert!(kinds.contains(&value), "{name}: {form:?} has no kind {value}");
                assert!(family.kind.is_empty(), "{name} has two kinds");
                let total = name.ends_with("_total");
                assert!(value != "counter" || total == (form == Form::Prometheus), "the name of the counter {name}");
                value.clone_into(&mut family.kind);
                self.kinds.insert(name.to_owned(), value.to_owned());
            }
            "UNIT" => {
                assert_eq!(form, Form::OpenMetrics, "{name} has a unit");
                assert!(name.ends_with(&format!("_{value}")), "{name} does not end with its unit {value}");
            }
            _ => panic!("no such comment: # {comment}"),
        }
    }

    #[track_caller]
    fn sample(&mut self, family: &mut Family, line: &str, form: Form) {
        let name_end = line.find(['{', ' ']).expect("a name");
        let (name, rest) = line.split_at(name_end);
        assert_name(name);
        let rest = if rest.starts_with('{') { labels(rest, line) } else { rest };
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));

        family.has_samples = true;
        let suffix = name.strip_prefix(&*family.name).unwrap_or_else(|| panic!("{line} is in family {}", family.name));
        let suffixes: &[&str] = match (&*family.kind, form) {
            ("counter", Form::OpenMetrics) => &["_total"],
            ("info", _) => &["_info"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            ("counter" | "gauge", _) => &[""],
            (kind, _) => panic!("samples of a {kind}: {line}"),
        };
        assert!(suffixes.contains(&suffix), "a {} has no {line}", family.kind);
        assert!(family.kind != "info" || value == 1.0, "{line}");
        assert!(family.kind == "gauge" || value >= 0.0, "{line}");
        let series = &line[..line.len() - rest.len()];
        assert!(self.samples.insert(series.to_owned(), value).is_none(), "twice: {series}");
    }

    /// Checks that the buckets of each histogram are cumulative, and that the last one equals the count.
    #[track_caller]
    fn check_histograms(&self) {
        for (name, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut series = BTreeMap::<String, Vec<(f64, f64)>>::new();
            for (sample, count) in &self.samples {
                let Some(labels) = sample.strip_prefix(&format!("{name}_bucket")) else { continue };
                let (before, rest) = labels.split_once("le=\"").expect("a bound");
                let (bound, after) = rest.split_once('"').unwrap();
                let of = format!("{before}{after}").replace("{,", "{").replace(",}", "}");
                series.entry(of).or_default().push((bound.parse().unwrap(), *count));
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name}{labels}: {buckets:?}");
                let (bound, all) = buckets[buckets.len() - 1];
                assert_eq!((bound, all), (f64::INFINITY, self.value(&format!("{name}_count{labels}"))));
                assert!(self.samples.contains_key(&format!("{name}_sum{labels}")));
            }
        }
    }
}

#[track_caller]
fn assert_name(name: &str) {
    let sound = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':');
    assert!(sound && !name.is_empty() && !name.as_bytes()[0].is_ascii_digit(), "no name: {name}");
}

/// Checks the labels, and returns what follows them.
#[track_caller]
fn labels<'a>(text: &'a str, line: &str) -> &'a str {
    let mut names = BTreeSet::new();
    let mut rest = &text[1..];
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert_name(name);
        assert!(names.insert(name), "{name} twice: {line}");
        let mut escaped = false;
        let end = after.bytes().position(|byte| {
            assert!(!escaped || b"\\\"n".contains(&byte), "no such escape: {line}");
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        rest = &after[end.unwrap_or_else(|| panic!("a value without an end: {line}")) + 1..];
        match rest.as_bytes().first() {
            Some(b',') => rest = &rest[1..],
            Some(b'}') => return &rest[1..],
            _ => panic!("neither , nor }} after a label: {line}"),
        }
    }
}
