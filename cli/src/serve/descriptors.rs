//! Room for many connections: each needs a descriptor, and systems give a program few unless it asks.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For files, the poller, listeners, connections that are being refused, and what libraries open.
const OTHERS: usize = 256;

/// How many connections there can be in each direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// That others make.
    pub(crate) accepted: usize,
    /// That we make.
    pub(crate) dialled: usize,
}

/// Asks for as many descriptors as these need, and gives how many there can be.
pub(crate) fn make_room(wanted: Room) -> Room {
    let all = wanted.accepted.saturating_add(wanted.dialled);
    let all = u64::try_from(all.saturating_add(OTHERS)).unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut available = current.unwrap_or(u64::MAX);
    if available < all {
        let raised = maximum.map_or(all, |maximum| all.min(maximum));
        let limit = Rlimit {
            current: Some(raised),
            maximum,
        };
        if setrlimit(Resource::Nofile, limit).is_ok() {
            available = raised;
        }
    }
    take_table(available.min(all));
    let available = usize::try_from(available).unwrap_or(usize::MAX);
    wanted.within(available.saturating_sub(OTHERS))
}

/// Has the system make its table of our descriptors as large as it will ever be. Linux doubles a table that is full, and a
/// program of several threads stands still meanwhile: some 10 ms each time, in the middle of a rush of connections.
fn take_table(descriptors: u64) {
    let highest = i32::try_from(descriptors.saturating_sub(1)).unwrap_or(i32::MAX);
    // Taken and given back: tables do not shrink. Where it fails the table grows as it has to.
    let _ = fcntl_dupfd_cloexec(io::stdin(), highest);
}

impl Room {
    /// As much of it as so many descriptors allow. If not all, those whom others make come first, as held links are among
    /// them and stay; but a quarter is for our own, which are over soon.
    fn within(self, descriptors: usize) -> Self {
        let least = self.dialled.min(descriptors / 4);
        let accepted = self.accepted.min(descriptors - least);
        let dialled = self.dialled.min(descriptors - accepted);
        Self {
            accepted: accepted.max(1),
            dialled: dialled.max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn room(accepted: usize, dialled: usize) -> Room {
        Room { accepted, dialled }
    }

    #[test]
    fn no_more_is_promised_than_there_is_and_never_nothing() {
        assert_eq!(make_room(room(10, 20)), room(10, 20));
        let most = make_room(room(usize::MAX, usize::MAX));
        assert!((1..usize::MAX).contains(&most.accepted), "{most:?}");
        assert_eq!(room(9, 9).within(0), room(1, 1));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_table_of_descriptors_need_not_grow_later() {
        make_room(room(300, 100));
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
        let size: usize = size.unwrap().trim().parse().unwrap();
        assert!(size >= 300 + 100 + OTHERS, "{size}");
    }

    #[test]
    fn held_links_have_the_larger_part_of_what_does_not_suffice() {
        assert_eq!(room(4_096, 4_096).within(8_192), room(4_096, 4_096));
        assert_eq!(room(4_096, 4_096).within(1_000), room(750, 250));
        assert_eq!(room(10_000, 10_000).within(15_000), room(10_000, 5_000));
        assert_eq!(room(1, 10_000).within(5_000), room(1, 4_999));
        assert_eq!(room(10_000, 10).within(1_000), room(990, 10));
    }
}
