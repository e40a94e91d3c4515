//! Every bound and time of the driver, with its default.

use std::time::Duration;

/// What a driver may use, and for how long.
///
/// At most `connections_max + refusals_max + dialled_max` sockets are open at once, besides the listeners; the limit of
/// open files (`ulimit -n`) should lie above that. Should it not, the driver pauses accepting, and dials fail.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that run the machine and write to sockets, in a transport that has such. At least one.
    pub worker_threads: usize,
    /// Accepted connections at once, those that are only being closed included. Further ones are refused.
    pub connections_max: usize,
    /// How many of them may come from one source: an IPv4 address, or an IPv6 network of 64 bits. Further ones are refused, so that
    /// no single host takes all places.
    pub connections_per_source_max: usize,
    /// Refused connections at once that are still being told so. Further ones are closed without a word.
    pub refusals_max: usize,
    /// What a peer is sent that is refused because there is no place for it. Best effort, so keep it short.
    pub refusal: Vec<u8>,
    /// Dials under way at once. Further ones wait in line.
    pub dials_max: usize,
    /// Dialled connections at once, in every state from the dial to the last of the closing. Further dials wait in
    /// line.
    pub dialled_max: usize,
    /// Dials that wait in line. Further ones fail at once, for want of resources.
    pub dial_queue_max: usize,
    /// How long a dial may take, from its start.
    pub dial_timeout: Duration,
    /// How long a whole connection may last, from the accept or the start of the dial, however busy it is, unless the
    /// machine wants to keep it; and how long a dial may wait in line. [`Duration::MAX`]: for ever.
    pub connection_deadline: Duration,
    /// How long to wait for the peer's end after our own is done, and how long to go on sending what is queued after
    /// the machine has ended.
    pub linger: Duration,
    /// Bytes of one connection that were read and that the machine has not taken yet. While it is full, nothing is read, so
    /// the peer has to wait.
    pub inbox_max: usize,
    /// Bytes queued for one peer above which the machine may queue no more: the next ones end the connection, as the
    /// peer does not read them (and end a dial, for want of resources). So at most this and one `Output::Send` are
    /// held.
    pub outbox_max: usize,
    /// Bytes to read and throw away on a connection that is being closed. A peer that sends more is cut off.
    pub discard_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            worker_threads: 2,
            connections_max: 4_096,
            connections_per_source_max: 2_048,
            refusals_max: 64,
            refusal: Vec::new(),
            dials_max: 256,
            dialled_max: 4_096,
            dial_queue_max: 1_024,
            dial_timeout: Duration::from_secs(3),
            connection_deadline: Duration::from_secs(15),
            linger: Duration::from_secs(2),
            inbox_max: 16 * 1_024,
            outbox_max: 256 * 1_024,
            discard_max: 128 * 1_024,
        }
    }
}

impl Options {
    /// Why nothing could run with these, if so.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let at_least_one = [
            (self.worker_threads, "worker_threads must be at least 1"),
            (self.dials_max, "dials_max must be at least 1"),
            (self.dialled_max, "dialled_max must be at least 1"),
            (self.inbox_max, "inbox_max must be at least 1"),
            (self.outbox_max, "outbox_max must be at least 1"),
        ];
        at_least_one
            .into_iter()
            .find_map(|(setting, problem)| (setting == 0).then_some(problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_nothing_is_not() {
        assert_eq!(Options::default().problem(), None);
        let none = Options {
            worker_threads: 0,
            ..Options::default()
        };
        assert_eq!(none.problem(), Some("worker_threads must be at least 1"));
    }
}
