//! Cuts a stream of bytes into frames, keeping no more than one unfinished frame.

use alloc::vec::Vec;

use super::frame::{FrameError, Header};
use crate::id::SessionId;

/// Gathers the bytes of one connection until they are frames.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
}

impl Deframer {
    /// Adds bytes as they came. Call [`Self::next_frame`] until it has no more before adding others: then the buffer never
    /// holds more than one frame and what one read brought.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes out the next whole frame, for [`super::frame::Frame::parse`].
    ///
    /// # Errors
    ///
    /// As soon as what is there cannot become a frame; the connection is of no more use then.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(header) = Header::read(&self.buffer)? else {
            return Ok(None);
        };
        if self.buffer.len() < header.frame_len {
            return Ok(None);
        }
        let rest = self.buffer.split_off(header.frame_len);
        Ok(Some(core::mem::replace(&mut self.buffer, rest)))
    }

    /// The session of the frame that is arriving, known long before it is whole.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        let header = Header::read(&self.buffer).ok().flatten()?;
        header.session(&self.buffer)
    }

    /// What came behind the last frame that was taken out, for whoever goes on reading there.
    #[must_use]
    pub fn into_rest(self) -> Vec<u8> {
        self.buffer
    }

    /// Whether nothing is waiting for its rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
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
    fn a_broken_header_stays_broken() {
        let mut deframer = Deframer::default();
        deframer.push(&[0xff; 4]);
        assert!(deframer.next_frame().is_err());
        deframer.push(&Frame::Refusal(RefusalCode::Busy).to_bytes());
        assert!(deframer.next_frame().is_err());
    }
}
