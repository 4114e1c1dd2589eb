//! The report as one file of HTML that asks for nothing else: all that comes from a capture is text in it, whatever it says.

use super::report::{Report, SIDE_HEADS};
use super::save::PRIVATE;
use crate::cli::output::differences::{outcomes, percent};
use crate::cli::output::render::one_line;
use crate::plugin::write_with_mode;
use crate::record::compare::{ReportedExample, ReportedGroup, ReportedInput};
use anyhow::Context;
use std::path::Path;

/// Nothing is loaded and nothing runs, even if something were not escaped.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}\
table{border-collapse:collapse;margin:1rem 0}\
th,td{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #8884}\
code,pre{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap;margin:0}\
details{margin:.6rem 0}summary{cursor:pointer}.old{color:#b3261e}.new{color:#1b7f3b}";

/// How much of a frame of an input is shown.
const FRAME_BYTES_MAX: usize = 2 << 10;

/// Writes the page, which holds captured traffic.
///
/// # Errors
/// When it cannot be written, or something else than a plain file is there.
pub(super) fn write(file: &Path, report: &Report) -> anyhow::Result<()> {
    write_with_mode(file, page(report).as_bytes(), PRIVATE).with_context(|| format!("writing {}", file.display()))
}

fn page(report: &Report) -> String {
    let Report { plugin, inputs, compared, differing, .. } = report;
    let tried = compared + report.counts.undecided;
    let title = escaped(&format!("{plugin}: {differing} of {compared} inputs differ"));
    let rows = |rows: Vec<Vec<String>>| {
        let row = |cells: Vec<String>| {
            let cells: String = cells.iter().map(|cell| format!("<td>{}</td>", escaped(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        rows.into_iter().map(row).collect::<String>()
    };
    let heads = |heads: &[&str]| {
        let heads: String = heads.iter().map(|head| format!("<th>{}</th>", escaped(head))).collect();
        format!("<tr>{heads}</tr>\n")
    };
    let outcomes = outcomes(&report.counts).map(|(name, count)| vec![name, count.to_string(), percent(count, tried)]);
    let skipped: String =
        report.skipped.iter().map(|(what, count)| format!("<p>Skipped: {count} {}</p>\n", escaped(what))).collect();
    let groups: String = report.groups.iter().map(|found| group(found, tried)).collect();
    let other = match report.other_differences {
        0 => String::new(),
        count => format!("<p>And {count} in more groups than are kept.</p>\n"),
    };
    let sides = vec![report.old.cells("old").to_vec(), report.new.cells("new").to_vec()];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style></head>\n\
         <body>\n<h1>{title}</h1>\n<p>{} against {} on {}</p>\n\
         <table>\n{}{}</table>\n{skipped}{groups}{other}<table>\n{}{}</table>\n</body></html>\n",
        escaped(&report.old.file),
        escaped(&report.new.file),
        escaped(inputs),
        heads(&["Outcome", "Inputs", "Share"]),
        rows(outcomes.collect()),
        heads(&SIDE_HEADS),
        rows(sides),
    )
}

fn group(ReportedGroup { group, inputs, examples }: &ReportedGroup, tried: u64) -> String {
    let head = escaped(&format!("{group}: {inputs} ({})", percent(*inputs, tried)));
    let examples: String = examples.iter().map(example).collect();
    format!("<details open><summary>{head}</summary>\n{examples}</details>\n")
}

fn example(ReportedExample { number, old, new, input }: &ReportedExample) -> String {
    let input = input.as_ref().map_or_else(|| "<i>large</i>".to_owned(), input_text);
    format!(
        "<table><tr><th>input {number}</th><td>{input}</td></tr>\n\
         <tr><th>old</th><td class=\"old\"><code>{}</code></td></tr>\n\
         <tr><th>new</th><td class=\"new\"><code>{}</code></td></tr></table>\n",
        escaped(old),
        escaped(new)
    )
}

fn input_text(ReportedInput { metadata, frames_base64 }: &ReportedInput) -> String {
    let pairs = metadata.iter().map(|(key, value)| format!("<code>{}</code><br>", escaped(&format!("{key}={value}"))));
    let frames = frames_base64.iter().map(|frame| {
        let shown = &frame.0[..frame.0.len().min(FRAME_BYTES_MAX)];
        let rest = if shown.len() < frame.0.len() { "…" } else { "" };
        format!("<pre>{}{rest}</pre>", escaped(&String::from_utf8_lossy(shown)))
    });
    pairs.chain(frames).collect()
}

/// The text as HTML shows it, wherever it stands, with its control characters written out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in one_line(text).chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // It would turn around what stands behind it.
            letter if is_direction(letter) => escaped.extend(letter.escape_unicode()),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Whether a character changes the direction in which others are shown.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let text = "<img src=x onerror='alert(1)'>&\"\n\0\u{202e}";
        let expected = "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;&quot;\\n\\u{0}\\u{202e}";
        assert_eq!(escaped(text), expected);
    }
}
