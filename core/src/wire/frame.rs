//! Frames: the length-prefixed pieces that every byte on a connection belongs to.
//!
//! ```text
//! 0        4         5      6
//! | length | version | kind | body ...          length counts what follows it, big-endian
//!
//! kind 0  handshake body: the next message of a handshake, see `channel`
//! kind 1  session   body: session id (16) | counter (8, big-endian) | what the channel sealed
//! kind 2  refusal   body: code (1)
//! kind 3  stream    body: number (4, big-endian): on a held link, whose the next frame is
//! kind 4  end       body: number (4, big-endian): this stream of a held link is over
//! ```

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::{SessionId, StreamNumber};
use crate::limits::{FRAME_LEN_MAX, HANDSHAKE_FRAME_LEN_MAX};

/// The version of the protocol, in every frame.
pub const VERSION: u8 = 1;

/// Bytes of a frame before its body.
pub(super) const HEADER_LEN: usize = 6;
const LENGTH_LEN: usize = 4;
const SESSION_LEN: usize = 16;
const COUNTER_LEN: usize = 8;
const STREAM_NUMBER_LEN: usize = 4;
const SHORT_FRAME_LEN_MAX: usize = 64;

const KIND_HANDSHAKE: u8 = 0;
const KIND_SESSION: u8 = 1;
const KIND_REFUSAL: u8 = 2;
const KIND_STREAM: u8 = 3;
const KIND_END: u8 = 4;

/// A whole frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame<'a> {
    /// A message of a handshake.
    Handshake(&'a [u8]),
    /// Something sealed with the keys of a session.
    Session(SealedFrame<'a>),
    /// A short no that anyone could have sent: a hint, not a proof.
    Refusal(RefusalCode),
    /// On a held link: the next frame is one of this stream.
    Stream(StreamNumber),
    /// On a held link: this stream is over.
    End(StreamNumber),
}

/// A frame as its session's channel made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealedFrame<'a> {
    /// Whose keys open it.
    pub session: SessionId,
    /// Its number in this session and direction.
    pub counter: u64,
    /// What the channel makes of it.
    pub sealed: &'a [u8],
}

/// Why a connection is refused without an answer of its session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum RefusalCode {
    /// No place for another connection or login now; try again later.
    Busy,
    /// No such session here: log in again.
    UnknownSession,
    /// Another version of the protocol.
    Version,
    /// What came is no frame or no message.
    Malformed,
    /// The frame is longer than is taken here.
    TooLong,
    /// A code of a later version.
    Other(u8),
}

impl RefusalCode {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Busy => 0,
            Self::UnknownSession => 1,
            Self::Version => 2,
            Self::Malformed => 3,
            Self::TooLong => 4,
            Self::Other(code) => code,
        }
    }

    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Busy,
            1 => Self::UnknownSession,
            2 => Self::Version,
            3 => Self::Malformed,
            4 => Self::TooLong,
            code => Self::Other(code),
        }
    }
}

/// What is wrong with bytes that should be a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum FrameError {
    /// Longer than frames of its kind may be.
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// Shorter than its header.
    #[error("a frame of {0} bytes is too short")]
    TooShort(usize),
    /// Another version.
    #[error("protocol version {0} is not spoken here")]
    Version(u8),
    /// No known kind of frame.
    #[error("frame kind {0} is unknown")]
    Kind(u8),
}

impl FrameError {
    /// What the peer is told.
    #[must_use]
    pub const fn refusal(self) -> RefusalCode {
        match self {
            Self::TooLong(_) => RefusalCode::TooLong,
            Self::Version(_) => RefusalCode::Version,
            Self::TooShort(_) | Self::Kind(_) => RefusalCode::Malformed,
        }
    }
}

/// What the first bytes of a frame say of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Bytes of the whole frame, with its length field.
    pub(super) frame_len: usize,
    kind: u8,
}

impl Header {
    /// Reads as much of a header as there is, and refuses what cannot become a frame. `None`: more bytes are needed.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let Some(length) = bytes.first_chunk::<LENGTH_LEN>() else {
            return Ok(None);
        };
        // A length that does not fit `usize` is too long in any case.
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > FRAME_LEN_MAX {
            return Err(FrameError::TooLong(length));
        }
        if length < HEADER_LEN - LENGTH_LEN {
            return Err(FrameError::TooShort(length));
        }
        if let Some(&version) = bytes.get(LENGTH_LEN)
            && version != VERSION
        {
            return Err(FrameError::Version(version));
        }
        let Some(&kind) = bytes.get(LENGTH_LEN + 1) else {
            return Ok(None);
        };
        let (shortest, longest) = match kind {
            KIND_HANDSHAKE => (0, HANDSHAKE_FRAME_LEN_MAX),
            KIND_SESSION => (SESSION_LEN + COUNTER_LEN, FRAME_LEN_MAX),
            KIND_REFUSAL => (1, SHORT_FRAME_LEN_MAX),
            KIND_STREAM | KIND_END => (STREAM_NUMBER_LEN, SHORT_FRAME_LEN_MAX),
            other => return Err(FrameError::Kind(other)),
        };
        if length > longest {
            return Err(FrameError::TooLong(length));
        }
        if length < HEADER_LEN - LENGTH_LEN + shortest {
            return Err(FrameError::TooShort(length));
        }
        Ok(Some(Self {
            frame_len: LENGTH_LEN + length,
            kind,
        }))
    }

    /// The session that a frame belongs to, as soon as so much of it is there.
    pub(super) fn session(self, bytes: &[u8]) -> Option<SessionId> {
        if self.kind != KIND_SESSION {
            return None;
        }
        let id = bytes.get(HEADER_LEN..)?.first_chunk::<SESSION_LEN>()?;
        Some(SessionId(*id))
    }

    /// The frame in `bytes`, which are all of it.
    pub(super) fn frame(self, bytes: &[u8]) -> Result<Frame<'_>, FrameError> {
        let too_short = FrameError::TooShort(bytes.len());
        let body = bytes.get(HEADER_LEN..self.frame_len).ok_or(too_short)?;
        match self.kind {
            KIND_HANDSHAKE => Ok(Frame::Handshake(body)),
            KIND_SESSION => {
                let (session, rest) = body.split_first_chunk().ok_or(too_short)?;
                let (counter, sealed) = rest.split_first_chunk().ok_or(too_short)?;
                Ok(Frame::Session(SealedFrame {
                    session: SessionId(*session),
                    counter: u64::from_be_bytes(*counter),
                    sealed,
                }))
            }
            KIND_REFUSAL => {
                let (code, _) = body.split_first().ok_or(too_short)?;
                Ok(Frame::Refusal(RefusalCode::from_byte(*code)))
            }
            KIND_STREAM | KIND_END => {
                let (number, _) = body.split_first_chunk().ok_or(too_short)?;
                let number = StreamNumber(u32::from_be_bytes(*number));
                Ok(match self.kind {
                    KIND_STREAM => Frame::Stream(number),
                    _ => Frame::End(number),
                })
            }
            other => Err(FrameError::Kind(other)),
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads a whole frame and nothing behind it.
    ///
    /// # Errors
    ///
    /// When `bytes` are not exactly one frame.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let too_short = FrameError::TooShort(bytes.len());
        let header = Header::read(bytes)?.ok_or(too_short)?;
        if bytes.len() > header.frame_len {
            return Err(FrameError::TooLong(bytes.len()));
        }
        header.frame(bytes)
    }

    /// The frame's bytes.
    ///
    /// # Panics
    ///
    /// When the body is longer than a frame may be: whoever builds one keeps to `limits`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, parts): (u8, [&[u8]; 3]) = match self {
            Self::Handshake(body) => (KIND_HANDSHAKE, [body, &[], &[]]),
            Self::Session(frame) => (
                KIND_SESSION,
                [&frame.session.0, &frame.counter.to_be_bytes(), frame.sealed],
            ),
            Self::Refusal(code) => (KIND_REFUSAL, [&[code.to_byte()], &[], &[]]),
            Self::Stream(number) => (KIND_STREAM, [&number.0.to_be_bytes(), &[], &[]]),
            Self::End(number) => (KIND_END, [&number.0.to_be_bytes(), &[], &[]]),
        };
        let length = HEADER_LEN - LENGTH_LEN + parts.iter().map(|part| part.len()).sum::<usize>();
        assert!(length <= FRAME_LEN_MAX, "a frame of {length} bytes");
        let mut bytes = Vec::with_capacity(LENGTH_LEN + length);
        bytes.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&[VERSION, kind]);
        for part in parts {
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = (u8, Vec<u8>, [u8; 16], u64)> {
        (
            0u8..5,
            prop::collection::vec(any::<u8>(), 0..300),
            any::<[u8; 16]>(),
            any::<u64>(),
        )
    }

    fn build(kind: u8, body: &[u8], session: [u8; 16], counter: u64) -> Frame<'_> {
        let number = u32::try_from(counter % 1_000).unwrap();
        match kind {
            0 => Frame::Handshake(body),
            1 => Frame::Session(SealedFrame {
                session: SessionId(session),
                counter,
                sealed: body,
            }),
            3 => Frame::Stream(StreamNumber(number)),
            4 => Frame::End(StreamNumber(number)),
            _ => Frame::Refusal(RefusalCode::from_byte(body.first().copied().unwrap_or(0))),
        }
    }

    proptest! {
        #[test]
        fn a_frame_reads_back((kind, body, session, counter) in frames()) {
            let frame = build(kind, &body, session, counter);
            let bytes = frame.to_bytes();
            prop_assert_eq!(Frame::parse(&bytes), Ok(frame));
        }

        #[test]
        fn every_cut_is_noticed((kind, body, session, counter) in frames(), cut in any::<prop::sample::Index>()) {
            let bytes = build(kind, &body, session, counter).to_bytes();
            let cut = cut.index(bytes.len());
            prop_assert!(Frame::parse(&bytes[..cut]).is_err());
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Frame::parse(&bytes);
        }
    }

    #[test]
    fn a_long_frame_is_refused_by_its_header() {
        let too_long = u32::try_from(FRAME_LEN_MAX + 1).unwrap().to_be_bytes();
        assert_eq!(
            Header::read(&too_long),
            Err(FrameError::TooLong(FRAME_LEN_MAX + 1))
        );
        let stranger = [0, 0, 4, 1, VERSION, KIND_HANDSHAKE];
        assert_eq!(Header::read(&stranger), Err(FrameError::TooLong(1_025)));
    }

    #[test]
    fn another_version_is_refused_before_the_rest_is_there() {
        assert_eq!(Header::read(&[0, 0, 0, 9, 7]), Err(FrameError::Version(7)));
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        assert_eq!(
            Header::read(&[0, 0, 0, 9, VERSION, 9]),
            Err(FrameError::Kind(9))
        );
    }
}
