//! The streams of held links, as the other side of a machine under a fuzzer sees them: each is a connection to the checks.

use std::collections::BTreeMap;

use simplechat_core::id::StreamNumber;
use simplechat_core::machine::ConnId;
use simplechat_core::wire::frame::Frame;

/// Far above what a driver or a machine counts to, and below what the machine calls streams.
const FIRST: u64 = 1 << 62;

/// All streams, by what the checks call them.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: BTreeMap<ConnId, (ConnId, StreamNumber)>,
    made: u64,
    /// On each link the next one that does not come from the machine.
    next: BTreeMap<ConnId, StreamNumber>,
}

impl Streams {
    /// A connection is a link now.
    pub(crate) fn hold(&mut self, link: ConnId) {
        let next = match link {
            ConnId::Accepted(_) => StreamNumber(0),
            ConnId::Dialled(_) => StreamNumber(1),
        };
        self.next.insert(link, next);
    }

    pub(crate) fn forget(&mut self, link: ConnId) {
        self.next.remove(&link);
        self.streams.retain(|_, (on, _)| *on != link);
    }

    /// A new stream to the machine, for every other caller while there is a link.
    pub(crate) fn open(&mut self) -> Option<ConnId> {
        self.made += 1;
        let (&link, next) = self.next.iter_mut().next()?;
        if self.made.is_multiple_of(2) {
            return None;
        }
        let number = *next;
        next.0 += 2;
        let conn = ConnId::Accepted(FIRST + self.made);
        self.streams.insert(conn, (link, number));
        Some(conn)
    }

    /// What to put on which connection in place of a frame for this one.
    pub(crate) fn wrap(&self, conn: ConnId, bytes: &[u8]) -> (ConnId, Vec<u8>) {
        match self.streams.get(&conn) {
            Some(&(link, number)) => (
                link,
                [&Frame::Stream(number).to_bytes()[..], bytes].concat(),
            ),
            None => (conn, bytes.to_vec()),
        }
    }

    /// The machine ends a stream.
    pub(crate) fn end(&mut self, link: ConnId, number: StreamNumber) {
        self.streams.retain(|_, at| *at != (link, number));
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Which stream of a link the machine means.
    pub(crate) fn named(&mut self, link: ConnId, number: StreamNumber) -> ConnId {
        let known = self.streams.iter().find(|(_, at)| **at == (link, number));
        if let Some((conn, _)) = known {
            return *conn;
        }
        self.made += 1;
        let conn = ConnId::Dialled(FIRST + self.made);
        self.streams.insert(conn, (link, number));
        conn
    }
}
