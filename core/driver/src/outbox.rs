//! Bytes on their way to a peer.

use std::io::{self, Write};

/// How writing ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flushed {
    /// Nothing is left.
    Empty,
    /// The system takes no more for now.
    Blocked,
    /// The peer will never get the rest.
    Broken,
}

/// A queue of bytes, written as far as the system takes them.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, written: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn push(&mut self, bytes: Vec<u8>) {
        if self.is_empty() {
            *self = Self::new(bytes);
            return;
        }
        // What was written goes once it is the larger part, so that each byte is moved about once.
        if self.written > self.len() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        self.bytes.extend_from_slice(&bytes);
    }

    /// Drops everything, and its memory.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn flush(&mut self, mut stream: impl Write) -> Flushed {
        while !self.is_empty() {
            match stream.write(&self.bytes[self.written..]) {
                Ok(0) => return Flushed::Broken,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Blocked,
                Err(_) => return Flushed::Broken,
            }
        }
        self.clear();
        Flushed::Empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then would block.
    struct Pipe {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= count;
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_keep_their_order_however_they_are_taken() {
        let mut pipe = Pipe {
            taken: Vec::new(),
            room: 0,
        };
        let mut outbox = Outbox::default();
        let mut pushed = Vec::new();
        for round in 0..50_u8 {
            let piece = vec![round; usize::from(round % 7)];
            pushed.extend_from_slice(&piece);
            outbox.push(piece);
            pipe.room = usize::from(round % 5);
            let flushed = outbox.flush(&mut pipe);
            assert_eq!(flushed == Flushed::Empty, outbox.is_empty());
            assert_eq!(pipe.taken.len() + outbox.len(), pushed.len());
        }
        pipe.room = usize::MAX;
        assert_eq!(outbox.flush(&mut pipe), Flushed::Empty);
        assert_eq!(pipe.taken, pushed);
    }
}
