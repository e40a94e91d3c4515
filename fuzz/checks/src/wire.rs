//! Bytes to frames, frames to items, and back.

use std::fmt::Debug;

use arbitrary::Unstructured;
use simplechat_core::limits::FRAME_LEN_MAX;
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::{Frame, FrameError};
use simplechat_core::wire::item::{Item, ItemError, Items, decode, encode, payload_of};
use simplechat_core::wire::login::{LoginAnswer, LoginRequest};
use simplechat_core::wire::mail::MailItem;
use simplechat_core::wire::peer::{PeerAnswer, PeerPush};
use simplechat_core::wire::push::{Push, PushAnswer};
use simplechat_core::wire::request::{Answer, Request};

use crate::any;

/// The length field and what it counts.
const WHOLE_FRAME_MAX: usize = 4 + FRAME_LEN_MAX;

/// Any bytes in any cuts: the same frames come out as in one piece and end with the same error, no more is kept than one
/// frame, and a frame that can be read is written as it came.
///
/// # Panics
///
/// When that does not hold.
pub fn deframer(data: &[u8]) {
    let Some((&first, stream)) = data.split_first() else {
        return;
    };
    let whole = frames(&[stream]);
    let size = usize::from(first) + 1;
    let chunks: Vec<_> = stream.chunks(size).collect();
    assert_eq!(frames(&chunks), whole, "cut into pieces of {size}");
    let (head, tail) = stream.split_at(usize::from(first).min(stream.len()));
    assert_eq!(frames(&[head, tail]), whole, "cut at {first}");
    for frame in whole.0 {
        assert!(frame.len() <= WHOLE_FRAME_MAX, "a bounded frame");
        let parsed = Frame::parse(&frame).expect("what the deframer gives is a frame");
        let written = parsed.to_bytes();
        if let Frame::Refusal(_) | Frame::Stream(_) | Frame::End(_) = parsed {
            // A later version may have put something behind the code or number.
            assert!(
                frame[4..].starts_with(&written[4..]),
                "{parsed:?} is written as it came"
            );
        } else {
            assert_eq!(written, frame, "{parsed:?} is written as it came");
        }
    }
}

/// The frames in a stream, and what stops it if anything does.
fn frames(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut deframer = Deframer::default();
    let mut seen = Vec::new();
    let (mut pushed, mut taken) = (0, 0);
    for chunk in chunks {
        deframer.push(chunk);
        pushed += chunk.len();
        loop {
            let session = deframer.session();
            match deframer.next_frame() {
                Ok(Some(frame)) => {
                    if let Ok(Frame::Session(sealed)) = Frame::parse(&frame) {
                        assert_eq!(session, Some(sealed.session), "known before it was whole");
                    }
                    taken += frame.len();
                    seen.push(frame);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(
                        deframer.next_frame(),
                        Err(error),
                        "what is broken stays broken"
                    );
                    return (seen, Some(error));
                }
            }
        }
        let kept = pushed - taken;
        assert!(kept < WHOLE_FRAME_MAX, "{kept} bytes wait for a frame");
        assert_eq!(deframer.is_empty(), kept == 0, "{kept} bytes are kept");
    }
    (seen, None)
}

/// Any bytes as an item of each family, and as a payload of them: what can be read is written as something that reads the
/// same, and is written the same again.
///
/// # Panics
///
/// When that does not hold.
pub fn items(data: &[u8]) {
    reads_back_every_family(data);
    let mut left = data.len();
    for item in Items::new(data) {
        let Ok(item) = item else {
            return;
        };
        assert!(item.len() < left, "each item takes its bytes and a length");
        left -= item.len() + 1;
        reads_back_every_family(item);
    }
}

fn reads_back_every_family(bytes: &[u8]) {
    reads_back::<LoginRequest>(bytes);
    reads_back::<LoginAnswer>(bytes);
    reads_back::<Request>(bytes);
    reads_back::<Answer>(bytes);
    reads_back::<Push>(bytes);
    reads_back::<PushAnswer>(bytes);
    reads_back::<PeerPush>(bytes);
    reads_back::<PeerAnswer>(bytes);
    reads_back::<MailItem>(bytes);
}

fn reads_back<T: Item + PartialEq + Debug>(bytes: &[u8]) {
    match decode::<T>(bytes) {
        Ok(item) => comes_out_as_it_went_in(&item),
        Err(ItemError::Unsupported(kind)) => {
            assert!(kind >= T::KINDS, "kind {kind} is known");
        }
        Err(ItemError::Malformed) => {}
    }
}

fn comes_out_as_it_went_in<T: Item + PartialEq + Debug>(item: &T) {
    let written = encode(item);
    assert_eq!(decode::<T>(&written).as_ref(), Ok(item), "{written:?}");
    let mut appended = written.clone();
    appended.extend_from_slice(&[0xff, 0]);
    assert_eq!(
        decode::<T>(&appended).as_ref(),
        Ok(item),
        "fields of a later version change nothing"
    );
    let payload = payload_of(item);
    let alone: Vec<_> = Items::new(&payload).collect();
    assert_eq!(alone, [Ok(written.as_slice())], "alone in its payload");
    for cut in [0, written.len() / 2, written.len().saturating_sub(1)] {
        let cut_short = decode::<T>(&written[..cut]);
        assert_ne!(cut_short.as_ref(), Ok(item), "cut at {cut}");
    }
}

/// Any item that this program can make, of any family: it reads back.
///
/// # Panics
///
/// When it does not.
pub fn round_trip(data: &[u8]) {
    let mut u = Unstructured::new(data);
    while !u.is_empty() {
        if one_round_trip(&mut u).is_err() {
            return;
        }
    }
}

fn one_round_trip(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    match u.int_in_range(0..=8)? {
        0 => comes_out_as_it_went_in(&any::login_request(u)?),
        1 => comes_out_as_it_went_in(&any::login_answer(u)?),
        2 => comes_out_as_it_went_in(&any::request(u)?),
        3 => comes_out_as_it_went_in(&any::answer(u)?),
        4 => comes_out_as_it_went_in(&any::push(u)?),
        5 => comes_out_as_it_went_in(&any::push_answer(u)?),
        6 => comes_out_as_it_went_in(&any::peer_push(u)?),
        7 => comes_out_as_it_went_in(&any::mail_item(u)?),
        _ => comes_out_as_it_went_in(&any::peer_answer(u)?),
    }
    Ok(())
}
