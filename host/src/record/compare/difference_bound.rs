//! Whether no more differs than may.

use super::comparison::Counts;
use crate::config::DifferenceBound;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_differs_than_may() {
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
    }
}
