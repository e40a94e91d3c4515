//! An attacker: hears every line of the network, and plays what they heard back from a host of their own.
//!
//! They know bytes and addresses, and nothing of what machines do. What they try is here; [`World::attack`] has the dice
//! choose, and the world carries it out.
//!
//! [`World::attack`]: crate::World::attack

pub mod talk;

use std::net::SocketAddr;

use simplechat_core::limits::REPLAY_WINDOW;
use simplechat_core::wire::frame::{Frame, RefusalCode, SealedFrame};

use crate::dice::Dice;
use crate::net::{Recording, Recordings};

/// How many recordings an attacker keeps.
pub const RECORDINGS_MAX: usize = 256;
/// Recordings that one attack is made of.
const MATERIAL_MAX: usize = 6;
/// How often one attack repeats a recording.
const REPEATS_MAX: usize = 30;

/// What to do with recordings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trick {
    /// Play one as it was.
    Replay,
    /// Play its beginning.
    Cut,
    /// Flip some of its bits.
    Flip,
    /// Play several, the latest first.
    Reorder,
    /// Play several on one connection.
    Join,
    /// Play the head of one and the tail of another.
    Splice,
    /// Play one many times.
    Repeat,
    /// Play one to who sent it.
    Reflect,
    /// Play a frame under another number.
    Renumber,
    /// Make up a frame of a session that was heard.
    Forge,
    /// Refuse, and nobody has asked.
    Refuse,
}

const TRICKS: [Trick; 11] = [
    Trick::Replay,
    Trick::Cut,
    Trick::Flip,
    Trick::Reorder,
    Trick::Join,
    Trick::Splice,
    Trick::Repeat,
    Trick::Reflect,
    Trick::Renumber,
    Trick::Forge,
    Trick::Refuse,
];

/// What anybody can refuse with.
const REFUSALS: [RefusalCode; 6] = [
    RefusalCode::UnknownSession,
    RefusalCode::UnknownSession,
    RefusalCode::Busy,
    RefusalCode::Version,
    RefusalCode::Malformed,
    RefusalCode::Other(77),
];

/// An attack that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attack {
    /// What is done.
    pub trick: Trick,
    /// Where.
    pub to: SocketAddr,
    /// What is sent, each on a connection of its own.
    pub calls: Vec<Vec<u8>>,
}

/// Devises an attack on where a recording went, or on one of `others`. `None`: there is nothing to work with.
pub fn devise(dice: &mut Dice, recordings: &Recordings, others: &[SocketAddr]) -> Option<Attack> {
    let first = dice.below(recordings.len());
    let recording = recordings.get(first)?;
    let trick = TRICKS[dice.below(TRICKS.len())];
    let to = if trick == Trick::Reflect {
        recording.origin
    } else if dice.below(3) == 0 {
        *others.get(dice.below(others.len()))?
    } else {
        recording.listener
    };
    let bytes = recording.bytes.clone();
    let calls = match trick {
        Trick::Replay | Trick::Reflect => vec![bytes],
        Trick::Cut => vec![head(dice, &bytes)],
        Trick::Flip => vec![flipped(dice, bytes)],
        Trick::Reorder => {
            let mut several = some_of(dice, recordings, first);
            several.reverse();
            several
        }
        Trick::Join => vec![some_of(dice, recordings, first).concat()],
        Trick::Splice => {
            let other = recordings.get(dice.below(recordings.len()))?;
            let mut spliced = head(dice, &bytes);
            let tail = dice.below(other.bytes.len() + 1);
            spliced.extend(other.bytes.iter().skip(tail));
            vec![spliced]
        }
        Trick::Repeat => vec![bytes; 2 + dice.below(REPEATS_MAX - 1)],
        Trick::Renumber => vec![renumbered(dice, &bytes)],
        Trick::Forge => vec![forged(dice, &bytes)],
        Trick::Refuse => vec![Frame::Refusal(any_refusal(dice)).to_bytes()],
    };
    Some(Attack { trick, to, calls })
}

/// Recordings from this one on, as they were made.
fn some_of(dice: &mut Dice, recordings: &Recordings, first: usize) -> Vec<Vec<u8>> {
    let count = 2 + dice.below(MATERIAL_MAX - 1);
    (first..first + count)
        .filter_map(|index| recordings.get(index))
        .map(|Recording { bytes, .. }| bytes.clone())
        .collect()
}

fn head(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .take(dice.below(bytes.len()))
        .collect()
}

fn flipped(dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..=dice.below(4) {
        let index = dice.below(bytes.len());
        if let Some(byte) = bytes.get_mut(index) {
            *byte ^= 1 << dice.below(8);
        }
    }
    bytes
}

/// A code that anybody can refuse with.
pub fn any_refusal(dice: &mut Dice) -> RefusalCode {
    REFUSALS[dice.below(REFUSALS.len())]
}

/// The first frame under a number near its own, or as far away as the replay window is wide.
fn renumbered(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let near = u64::try_from(1 + dice.below(3)).unwrap_or(1);
    let far = REPLAY_WINDOW - 2 + near;
    let is_ahead = dice.below(2) == 0;
    let by = if dice.below(3) > 0 { near } else { far };
    changed(bytes, |frame| SealedFrame {
        counter: if is_ahead {
            frame.counter.wrapping_add(by)
        } else {
            frame.counter.wrapping_sub(by)
        },
        ..frame
    })
}

/// The next frame of the same session, with a seal that is made up.
fn forged(dice: &mut Dice, bytes: &[u8]) -> Vec<u8> {
    let sealed = dice.seed();
    let ahead = u64::try_from(1 + dice.below(5)).unwrap_or(1);
    changed(bytes, |frame| SealedFrame {
        counter: frame.counter.wrapping_add(ahead),
        sealed: &sealed,
        ..frame
    })
}

/// The first frame as something else, if it is one of a session.
fn changed<'a>(
    bytes: &'a [u8],
    change: impl FnOnce(SealedFrame<'a>) -> SealedFrame<'a>,
) -> Vec<u8> {
    let len = bytes
        .first_chunk()
        .map_or(0, |len| u32::from_be_bytes(*len));
    let end = usize::try_from(len).unwrap_or(0).saturating_add(4);
    match bytes.get(..end).map(Frame::parse) {
        Some(Ok(Frame::Session(frame))) => Frame::Session(change(frame)).to_bytes(),
        _ => bytes.to_vec(),
    }
}
