//! Room for many connections: each needs a descriptor, and systems give a program few unless it asks.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For files, the poller, listeners, connections that are being refused, and what libraries open.
const OTHERS: usize = 256;

/// Asks for as many descriptors as so many connections in each direction need, and gives how many there can be.
pub(crate) fn make_room(connections_max: usize) -> usize {
    let wanted = connections_max.saturating_mul(2).saturating_add(OTHERS);
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let mut available = current.unwrap_or(u64::MAX);
    if available < wanted {
        let raised = maximum.map_or(wanted, |maximum| wanted.min(maximum));
        let limit = Rlimit {
            current: Some(raised),
            maximum,
        };
        if setrlimit(Resource::Nofile, limit).is_ok() {
            available = raised;
        }
    }
    let available = usize::try_from(available).unwrap_or(usize::MAX);
    connections_max
        .min(available.saturating_sub(OTHERS) / 2)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_promised_than_there_is_and_never_nothing() {
        assert_eq!(make_room(10), 10);
        let most = make_room(usize::MAX);
        assert!((1..usize::MAX).contains(&most), "{most}");
    }
}
