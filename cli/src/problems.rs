//! What is wrong with a file that a person wrote: all of it at once, so that it can be mended in one go.

use std::fmt;

/// So many are shown; the others are counted.
const SHOWN_MAX: usize = 20;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where it is: a file with a line, a variable of the environment, a flag.
    pub place: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// Everything that is wrong, in the order in which it was found. Shown with a line for each, up to a bound.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems {
    shown: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Notes one more.
    pub(crate) fn add(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.shown.len() == SHOWN_MAX {
            self.more += 1;
            return;
        }
        self.shown.push(Problem {
            place: place.into(),
            what: what.into(),
        });
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// The first ones.
    #[must_use]
    pub fn shown(&self) -> &[Problem] {
        &self.shown
    }

    /// How many there are that are not shown.
    #[must_use]
    pub fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.shown.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_are_shown() {
        let mut problems = Problems::default();
        assert!(problems.is_empty());
        for number in 1..=23 {
            problems.add(format!("file:{number}"), "is wrong");
        }
        let shown = problems.to_string();
        assert!(shown.starts_with("file:1: is wrong\nfile:2: is wrong\n"));
        assert!(shown.ends_with("\nfile:20: is wrong\nand 3 more"));
        assert_eq!(problems.more(), 3);
    }
}
