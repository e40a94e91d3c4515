//! Whether every message came once and in order.

use std::collections::BTreeSet;

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Faults {
    /// Sent and never seen, although nobody said that they were refused.
    pub(super) lost: u64,
    /// Seen again.
    pub(super) doubled: u64,
    /// Seen after a later one.
    pub(super) out_of_order: u64,
    /// Seen and never sent.
    pub(super) invented: u64,
}

impl Faults {
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        self.invented += other.invented;
    }
}

/// What one user gets of one other.
#[derive(Debug, Default)]
pub(super) struct Check {
    /// All before it came, or are missing.
    next: u64,
    /// Those that later ones came before.
    missing: BTreeSet<u64>,
    /// Those that their sender was told will not arrive.
    refused: BTreeSet<u64>,
    /// How many different ones came.
    arrived: u64,
    faults: Faults,
}

impl Check {
    /// One came, of so many that were sent.
    pub(super) fn arrived(&mut self, number: u64, sent: u64) {
        if number >= sent {
            self.faults.invented += 1;
        } else if number >= self.next {
            self.missing.extend(self.next..number);
            self.next = number + 1;
            self.arrived += 1;
        } else if self.missing.remove(&number) {
            self.faults.out_of_order += 1;
            self.arrived += 1;
        } else {
            self.faults.doubled += 1;
        }
    }

    /// The sender was told that this one will not arrive.
    pub(super) fn refused(&mut self, number: u64) {
        self.refused.insert(number);
    }

    /// How many are still to come, of so many that were sent.
    pub(super) fn outstanding(&self, sent: u64) -> u64 {
        let refused = u64::try_from(self.refused.len()).unwrap_or(u64::MAX);
        sent.saturating_sub(self.arrived).saturating_sub(refused)
    }

    /// What went wrong, once nothing more will come.
    pub(super) fn faults(&self, sent: u64) -> Faults {
        let missing = self.missing.iter().copied().chain(self.next..sent);
        let lost = missing.filter(|number| !self.refused.contains(number));
        Faults {
            lost: u64::try_from(lost.count()).unwrap_or(u64::MAX),
            ..self.faults
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(numbers: &[u64], refused: &[u64], sent: u64) -> Faults {
        let mut check = Check::default();
        for number in numbers {
            check.arrived(*number, sent);
        }
        for number in refused {
            check.refused(*number);
        }
        check.faults(sent)
    }

    #[test]
    fn what_came_once_and_in_order_is_right() {
        assert!(faults(&[0, 1, 2, 3], &[], 4).is_none());
        assert!(faults(&[], &[], 0).is_none());
    }

    #[test]
    fn what_did_not_come_is_lost_in_the_middle_and_at_the_end() {
        let lost = Faults {
            lost: 2,
            ..Faults::default()
        };
        assert_eq!(faults(&[0, 2], &[], 4), lost);
        assert_eq!(faults(&[], &[], 2), lost);
    }

    #[test]
    fn what_was_refused_is_not_lost() {
        assert!(faults(&[0, 2], &[1, 3], 4).is_none());
    }

    #[test]
    fn what_came_twice_is_doubled() {
        let doubled = Faults {
            doubled: 1,
            ..Faults::default()
        };
        assert_eq!(faults(&[0, 1, 0], &[], 2), doubled);
        assert_eq!(faults(&[0, 1, 1], &[], 2), doubled);
    }

    #[test]
    fn what_was_overtaken_is_out_of_order_and_not_lost() {
        let swapped = Faults {
            out_of_order: 1,
            ..Faults::default()
        };
        assert_eq!(faults(&[0, 2, 1], &[], 3), swapped);
        let late_again = Faults {
            out_of_order: 1,
            doubled: 1,
            ..Faults::default()
        };
        assert_eq!(faults(&[0, 2, 1, 1], &[], 3), late_again);
    }

    #[test]
    fn what_nobody_sent_is_invented() {
        let invented = Faults {
            invented: 1,
            ..Faults::default()
        };
        assert_eq!(faults(&[0, u64::MAX], &[], 1), invented);
    }

    #[test]
    fn what_is_outstanding_is_neither_there_nor_refused() {
        let mut check = Check::default();
        check.arrived(0, 5);
        check.arrived(2, 5);
        check.refused(3);
        assert_eq!(check.outstanding(5), 2);
    }
}
