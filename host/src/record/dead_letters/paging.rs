//! Lists of letters page by page, each of which begins behind the last letter of the one before.

use super::filter::Filter;
use super::listing::{summaries, topic_of};
use super::summary::Summary;
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::str::FromStr;

/// A part of a list.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Page {
    /// In the order that was asked for.
    pub letters: Vec<Summary>,
    /// Where the next part begins; none where there is no more.
    #[serde(serialize_with = "as_text")]
    pub next: Option<Cursor>,
}

/// Which letters come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that were lost first.
    #[default]
    Oldest,
    /// Those that were lost last.
    Newest,
}

impl FromStr for Order {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "oldest" => Ok(Self::Oldest),
            "newest" => Ok(Self::Newest),
            _ => Err(format!("`{text}` is neither oldest nor newest")),
        }
    }
}

/// A letter, behind which a part of a list begins. If the letter is gone, so are all before it: with the oldest first the part
/// begins with the oldest that there is, and with the newest first it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    time: String,
    id: String,
    /// Which of several letters of one request it is: replies may be lost in the same millisecond.
    number: usize,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}~{}~{}", self.time, self.id, self.number)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, '~');
        let (time, id, number) = (parts.next(), parts.next(), parts.next().and_then(|number| number.parse().ok()));
        match (time, id, number) {
            (Some(time), Some(id), Some(number)) => Ok(Self { time: time.to_owned(), id: id.to_owned(), number }),
            _ => Err(format!("`{text}` is no cursor: take `next` of the page before")),
        }
    }
}

fn as_text<S: serde::Serializer>(cursor: &Option<Cursor>, serializer: S) -> Result<S::Ok, S::Error> {
    cursor.as_ref().map(ToString::to_string).serialize(serializer)
}

/// What `filter` chooses, at most `limit` letters, from the first of this order or from behind a letter on. In either order all
/// files are read, and no more than `limit` letters are held.
///
/// # Errors
/// When there is no file, or one of them cannot be read; names it.
pub fn page(file: &Path, filter: &Filter, order: Order, after: Option<&Cursor>, limit: usize) -> io::Result<Page> {
    let (mut letters, mut is_more, mut passed) = (VecDeque::new(), false, false);
    // The filter comes after the cursor: its letter may have been dealt with since.
    let (mut before, mut number) = ((String::new(), String::new()), 0);
    summaries(
        file,
        |_| {},
        |letter, line| {
            let key = (letter.time.clone(), letter.id.clone());
            number = if key == before { number + 1 } else { 1 };
            before = key;
            let is_cursor =
                after.is_some_and(|after| after.time == letter.time && after.id == letter.id && after.number == number);
            match order {
                Order::Oldest if is_cursor => (letters, is_more) = (VecDeque::new(), false),
                Order::Newest if is_cursor => passed = true,
                Order::Newest if passed => {}
                _ if !filter.matches(&letter, || topic_of(line)) => {}
                Order::Oldest if letters.len() == limit => is_more = true,
                Order::Oldest => letters.push_back((letter, number)),
                Order::Newest => {
                    letters.push_front((letter, number));
                    is_more |= letters.len() > limit;
                    letters.truncate(limit);
                }
            }
        },
    )?;
    if order == Order::Newest && after.is_some() && !passed {
        return Ok(Page::default());
    }
    let next = letters.back().filter(|_| is_more).map(|(last, number)| Cursor {
        time: last.time.clone(),
        id: last.id.clone(),
        number: *number,
    });
    Ok(Page { letters: letters.into_iter().map(|(letter, _)| letter).collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::dead_letters::DealtWith;
    use crate::record::dead_letters::mark::{Mark, Replay};

    fn line(id: &str, time: u32, body: &str) -> String {
        format!(
            concat!(
                r#"{{"id":"{}","time":"2026-11-24T08:52:40.{:03}Z","hop":"reply","route":"p","reason":"unroutable","error":"","#,
                r#""seed":{{"value":1,"fixed":true}},"number":1,"reply":{{"identity_base64":"","frames_base64":["{}"]}}}}"#,
                "\n"
            ),
            id, time, body
        )
    }

    fn ids(page: &Page) -> Vec<&str> {
        page.letters.iter().map(|letter| letter.id.as_str()).collect()
    }

    #[test]
    fn pages_have_each_letter_once_even_if_the_last_one_was_dealt_with_or_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters");
        // Three replies of one request, in the same millisecond.
        let text: Vec<_> = [("a", 1), ("b", 2), ("b", 2), ("b", 2), ("c", 3)].map(|(id, at)| line(id, at, "")).into();
        std::fs::write(&file, text.concat()).unwrap();
        let filter = Filter::default();
        let page = |filter: &Filter, after: Option<&Cursor>, limit| page(&file, filter, Order::Oldest, after, limit);
        let first = page(&filter, None, 2).unwrap();
        assert_eq!(ids(&first), ["a", "b"]);
        let cursor: Cursor = first.next.unwrap().to_string().parse().unwrap();
        let second = page(&filter, Some(&cursor), 2).unwrap();
        assert_eq!(ids(&second), ["b", "b"]);
        let third = page(&filter, second.next.as_ref(), 2).unwrap();
        assert_eq!((ids(&third), &third.next), (vec!["c"], &None));

        Mark::now(Replay::Sent, "b").append(&file).unwrap();
        assert_eq!(ids(&page(&filter, Some(&cursor), 2).unwrap()), ["c"]);
        let dealt_with = Filter { dealt_with: DealtWith::Only, ..Filter::default() };
        let done = page(&dealt_with, None, 9).unwrap();
        assert_eq!((ids(&done), done.letters[0].replay), (vec!["b"; 3], Some(Replay::Sent)));
        std::fs::write(&file, line("d", 4, "")).unwrap();
        assert_eq!(ids(&page(&filter, Some(&cursor), 2).unwrap()), ["d"]);
        for text in ["", "a~b", "a~b~c"] {
            assert!(text.parse::<Cursor>().unwrap_err().ends_with("take `next` of the page before"));
        }
    }

    #[test]
    fn the_newest_come_first_where_that_is_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("letters");
        let text: Vec<_> = [("a", 1), ("b", 2), ("b", 2), ("c", 3)].map(|(id, at)| line(id, at, "")).into();
        std::fs::write(&file, text.concat()).unwrap();
        let page = |after: Option<&Cursor>| page(&file, &Filter::default(), Order::Newest, after, 2).unwrap();
        let first = page(None);
        assert_eq!(ids(&first), ["c", "b"]);
        // What comes meanwhile moves nothing.
        std::fs::write(&file, text.concat() + &line("d", 4, "")).unwrap();
        let second = page(first.next.as_ref());
        assert_eq!((ids(&second), &second.next), (vec!["b", "a"], &None));
        assert_eq!(ids(&page(None)), ["d", "c"]);
        // All that was older than it is gone too.
        std::fs::write(&file, line("d", 4, "")).unwrap();
        assert_eq!(page(first.next.as_ref()), Page::default());
        Mark::now(Replay::Sent, "d").append(&file).unwrap();
        assert_eq!(page(None), Page::default());
        assert!("last".parse::<Order>().unwrap_err().ends_with("is neither oldest nor newest"));
    }
}
