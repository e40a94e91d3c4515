//! Cuts a stream of bytes into frames, keeping no more than one unfinished frame.

use alloc::vec::Vec;

use super::frame::{FrameError, Header};
use crate::id::SessionId;

/// Gathers the bytes of one connection until they are frames.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    /// What lies before it was taken out. It goes with the rest of what one read brought, so that a read of many frames
    /// moves no byte more than once.
    start: usize,
}

impl Deframer {
    /// Adds bytes as they came. Call [`Self::next_frame`] until it has no more before adding others: then the buffer never
    /// holds more than one frame and what one read brought.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes out the next whole frame, for [`super::frame::Frame::parse`].
    ///
    /// # Errors
    ///
    /// As soon as what is there cannot become a frame; the connection is of no more use then.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        Ok(self.next_in_place()?.map(<[u8]>::to_vec))
    }

    /// The same, for who need not keep the frame.
    ///
    /// # Errors
    ///
    /// As [`Self::next_frame`].
    pub(crate) fn next_in_place(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = self.rest();
        let whole = Header::read(rest)?
            .map(|header| header.frame_len)
            .filter(|len| *len <= rest.len());
        if rest.is_empty() {
            // Whoever says nothing for long holds no memory.
            *self = Self::default();
        }
        let Some(len) = whole else {
            return Ok(None);
        };
        let frame = self.start..self.start + len;
        self.start = frame.end;
        Ok(self.buffer.get(frame))
    }

    /// What has come behind the last frame that was taken out.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.split_off(self.start)
    }

    /// The session of the frame that is arriving, known long before it is whole.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        let header = Header::read(self.rest()).ok().flatten()?;
        header.session(self.rest())
    }

    /// Whether nothing is waiting for its rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{Frame, RefusalCode, SealedFrame};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However a stream is cut, the same frames come out.
        #[test]
        fn cuts_mean_nothing(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..8),
            cuts in prop::collection::vec(1usize..40, 1..100),
        ) {
            let frames: Vec<_> = bodies.iter().map(|body| Frame::Handshake(body).to_bytes()).collect();
            let stream: Vec<u8> = frames.concat();
            let mut deframer = Deframer::default();
            let mut seen = Vec::new();
            let mut rest = stream.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, after) = rest.split_at((*cut).min(rest.len()));
                rest = after;
                deframer.push(chunk);
                while let Some(frame) = deframer.next_frame().unwrap() {
                    seen.push(frame);
                }
            }
            prop_assert_eq!(seen, frames);
            prop_assert!(deframer.is_empty());
        }

        #[test]
        fn no_bytes_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)) {
            let mut deframer = Deframer::default();
            for chunk in chunks {
                deframer.push(&chunk);
                let _ = deframer.session();
                while let Ok(Some(frame)) = deframer.next_frame() {
                    let _ = Frame::parse(&frame);
                }
            }
        }
    }

    #[test]
    fn the_session_is_known_before_the_frame_is_whole() {
        let session = SessionId([7; 16]);
        let bytes = Frame::Session(SealedFrame {
            session,
            counter: 3,
            sealed: &[0; 500],
        })
        .to_bytes();
        let mut deframer = Deframer::default();
        deframer.push(&bytes[..21]);
        assert_eq!(deframer.session(), None);
        deframer.push(&bytes[21..22]);
        assert_eq!(deframer.session(), Some(session));
        assert_eq!(deframer.next_frame(), Ok(None));
    }

    #[test]
    fn what_comes_behind_is_still_there_and_nothing_is_kept_once_all_was_taken() {
        let frame = Frame::Handshake(&[5; 60]).to_bytes();
        let mut deframer = Deframer::default();
        deframer.push(&frame.repeat(3)[..frame.len() * 2 + 7]);
        assert_eq!(deframer.next_frame().as_ref(), Ok(&Some(frame.clone())));
        assert_eq!(deframer.next_frame().as_ref(), Ok(&Some(frame.clone())));
        assert_eq!(deframer.next_frame(), Ok(None));
        deframer.push(&frame[7..]);
        assert_eq!(deframer.next_frame().as_ref(), Ok(&Some(frame)));
        assert_eq!(deframer.next_frame(), Ok(None));
        assert_eq!((deframer.buffer.capacity(), deframer.start), (0, 0));
        deframer.push(&[1, 2, 3]);
        assert_eq!(deframer.into_rest(), [1, 2, 3]);
    }

    #[test]
    fn a_broken_header_stays_broken() {
        let mut deframer = Deframer::default();
        deframer.push(&[0xff; 4]);
        assert!(deframer.next_frame().is_err());
        deframer.push(&Frame::Refusal(RefusalCode::Busy).to_bytes());
        assert!(deframer.next_frame().is_err());
    }
}
