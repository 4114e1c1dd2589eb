//! The file that a configuration was read from, and where in it a mistake is.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::DeTable;

/// A TOML file, which is kept to say where in it a mistake is.
#[derive(Clone, Debug, Default)]
pub struct Document {
    path: PathBuf,
    text: String,
}

/// What is wrong with the configuration as a whole, and at which key of which section.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct Mistake {
    table: &'static str,
    /// Of the section; none of a table that has no others in it.
    name: Option<String>,
    key: Option<&'static str>,
    index: Option<usize>,
    what: String,
}

impl Mistake {
    /// In the section `[TABLE.NAME]`.
    pub(in crate::config) fn of(table: &'static str, name: &str, what: String) -> Self {
        Self { name: Some(name.to_owned()), ..Self::within(table, what) }
    }

    /// In the section `[TABLE]`.
    pub(in crate::config) fn within(table: &'static str, what: String) -> Self {
        Self { table, name: None, key: None, index: None, what }
    }

    /// At one key of the section.
    pub(in crate::config) fn at(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// At one entry of the key's list.
    pub(in crate::config) fn entry(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, name, key, index, what } = self;
        let section = [Some(*table), name.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(".");
        match (key, index) {
            (None, _) => write!(f, "[{section}]: {what}"),
            (Some(key), None) => write!(f, "{section}.{key}: {what}"),
            (Some(key), Some(index)) => write!(f, "{section}.{key}[{index}]: {what}"),
        }
    }
}

impl Document {
    /// Reads it.
    ///
    /// # Errors
    /// When the system cannot, or it is no text.
    pub(in crate::config) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("reading the configuration {}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// A text that stands in no file.
    pub(in crate::config) fn of(text: String) -> Self {
        Self { path: PathBuf::new(), text }
    }

    pub(in crate::config) fn text(&self) -> &str {
        &self.text
    }

    /// An error with the name of the file before it, if it stands in one.
    pub(in crate::config) fn error(&self, error: impl fmt::Display) -> String {
        match self.path.as_os_str().is_empty() {
            true => format!("configuration: {error}"),
            false => format!("configuration {}: {error}", self.path.display()),
        }
    }

    /// Whether it says something of a key, which is given with the names of its tables before it.
    pub fn says(&self, key: &str) -> bool {
        DeTable::parse(&self.text).is_ok_and(|document| says(document.get_ref(), key))
    }

    /// The mistake with the line that it is in, as the parser shows those that it finds. What was said by a flag is in no
    /// line.
    pub(in crate::config) fn describe(&self, mistake: &Mistake) -> String {
        let found = DeTable::parse(&self.text).ok().and_then(|document| find(document.get_ref(), mistake));
        found.map_or_else(|| mistake.to_string(), |span| self.error(self.line(span) + &mistake.to_string()))
    }

    /// Where something stands, its line, and a mark below it.
    fn line(&self, span: Range<usize>) -> String {
        let (before, rest) = self.text.split_at(span.start);
        let number = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let indent = before[start..].chars().count();
        let line = before[start..].to_owned() + rest.lines().next().unwrap_or_default();
        // What goes on in the next line is marked to the end of this one.
        let marked = self.text[span].lines().next().unwrap_or_default().chars().count().max(1);
        let gutter = " ".repeat(number.to_string().len());
        format!(
            "error at line {number}, column {}\n{gutter} |\n{number} | {line}\n{gutter} | {:indent$}{}\n",
            indent + 1,
            "",
            "^".repeat(marked)
        )
    }
}

/// Whether a table, or one below it, has a value of this name. Names of settings may have dots in them.
fn says(table: &DeTable<'_>, key: &str) -> bool {
    let below = |(name, rest): (&str, &str)| Some(says(table.get(name)?.get_ref().as_table()?, rest));
    table.contains_key(key) || key.split_once('.').and_then(below).unwrap_or_default()
}

/// Where the value stands that a mistake is in; where its section begins, if the key is not there.
fn find(document: &DeTable<'_>, mistake: &Mistake) -> Option<Range<usize>> {
    let (mut header, mut section) = document.get_key_value(mistake.table)?;
    if let Some(name) = &mistake.name {
        (header, section) = section.get_ref().as_table()?.get_key_value(name.as_str())?;
    }
    let value = mistake.key.and_then(|key| section.get_ref().as_table()?.get(key));
    let entry = value.zip(mistake.index).and_then(|(value, index)| value.get_ref().as_array()?.get(index));
    Some(entry.or(value).map_or_else(|| header.span(), Spanned::span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_where_it_stands() {
        let document = Document {
            path: "x.toml".into(),
            text: "seed = 1\n[flows.\"é\"]\nfrom = [\n  'é', 'b'] # not\nto = ['c']\n".to_owned(),
        };
        let mistake = || Mistake::of("flows", "é", "is wrong".to_owned());
        for (mistake, shown) in [
            (mistake(), "line 2, column 8\n  |\n2 | [flows.\"é\"]\n  |        ^^^\n[flows.é]: is wrong"),
            (
                mistake().at("order"),
                "line 2, column 8\n  |\n2 | [flows.\"é\"]\n  |        ^^^\nflows.é.order: is wrong",
            ),
            (mistake().at("from"), "line 3, column 8\n  |\n3 | from = [\n  |        ^\nflows.é.from: is wrong"),
            (
                mistake().at("from").entry(1),
                "line 4, column 8\n  |\n4 |   'é', 'b'] # not\n  |        ^^^\nflows.é.from[1]: is wrong",
            ),
        ] {
            assert_eq!(document.describe(&mistake), format!("configuration x.toml: error at {shown}"));
        }
        let said = ["seed", "flows", "flows.é", "flows.é.to"].map(|key| document.says(key));
        let unsaid = ["see", "seed.x", "flows.é.order", "flows.to"].map(|key| document.says(key));
        assert_eq!((said, unsaid), ([true; 4], [false; 4]));
        let elsewhere = Mistake::of("sockets", "a", "is wrong".to_owned());
        assert_eq!(document.describe(&elsewhere), "[sockets.a]: is wrong");
    }
}
