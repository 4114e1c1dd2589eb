//! How much may differ: a number of inputs, or a share of them.

use super::comparison::Counts;
use std::fmt::{self, Display};
use std::str::FromStr;

/// A bound on what differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DifferenceBound {
    /// So many inputs.
    Inputs(u64),
    /// So many of a hundred inputs that were compared.
    Percent(f64),
}

impl DifferenceBound {
    /// Whether no more differs than may. What could not be compared counts as if it did; of nothing nothing is known, and
    /// `unread` parts of the inputs may hold any number of them.
    ///
    /// # Errors
    /// Says by how much it is over.
    pub fn check(&self, counts: &Counts, unread: u64) -> Result<(), String> {
        let (compared, differing) = (counts.compared(), counts.differing());
        let (over, tried) = (differing + counts.undecided, compared + counts.undecided);
        if compared == 0 {
            return Err("no input was compared".to_owned());
        }
        let holds = match *self {
            Self::Inputs(max) => over <= max,
            Self::Percent(max) => over as f64 * 100.0 <= max * tried as f64,
        };
        if holds && unread > 0 {
            return Err(format!("{unread} parts of the inputs cannot be read, and what differs there is not known"));
        }
        if holds {
            return Ok(());
        }
        let undecided = match counts.undecided {
            0 => String::new(),
            undecided => format!(" and {undecided} could not be compared"),
        };
        Err(format!("{differing} of {compared} inputs differ{undecided}, over {self}"))
    }
}

impl FromStr for DifferenceBound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bound = match text.strip_suffix('%') {
            Some(percent) => percent
                .parse()
                .ok()
                .filter(|percent| (0.0..=100.0).contains(percent) && percent_is_plain(text))
                .map(Self::Percent),
            None => text.parse().ok().map(Self::Inputs),
        };
        bound.ok_or_else(|| format!("`{text}` is neither a number of inputs such as 0 nor a share such as 0.1%"))
    }
}

/// Whether it has but digits and a point: numbers are written in more ways than people use.
fn percent_is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || [b'.', b'%'].contains(&byte))
}

impl Display for DifferenceBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inputs(max) => write!(f, "{max}"),
            Self::Percent(max) => write!(f, "{max}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_a_number_or_a_share() {
        let counts = |same, different, undecided| Counts { same, different, undecided, ..Counts::default() };
        let check = |text: &str, counts: Counts| text.parse::<DifferenceBound>().unwrap().check(&counts, 0);
        assert_eq!(check("0", counts(9, 0, 0)), Ok(()));
        assert_eq!(check("0", counts(9, 1, 0)), Err("1 of 10 inputs differ, over 0".to_owned()));
        assert_eq!(
            check("0", counts(9, 0, 1)),
            Err("0 of 9 inputs differ and 1 could not be compared, over 0".to_owned())
        );
        assert_eq!(check("0.1%", counts(999, 1, 0)), Ok(()));
        assert_eq!(check("0.1%", counts(998, 1, 0)), Err("1 of 999 inputs differ, over 0.1%".to_owned()));
        assert_eq!(check("100%", counts(0, 0, 0)), Err("no input was compared".to_owned()));
        let whole = Counts { same: 9, ..Counts::default() };
        let error = DifferenceBound::Percent(100.0).check(&whole, 2).unwrap_err();
        assert_eq!(error, "2 parts of the inputs cannot be read, and what differs there is not known");
        for text in ["", "-1", "1.5", "%", "101%", "-1%", "nan%", "inf%", "1e1%", "few"] {
            let error = text.parse::<DifferenceBound>().unwrap_err();
            assert!(error.starts_with(&format!("`{text}` is neither")), "{error}");
        }
    }
}
