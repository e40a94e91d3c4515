//! The bytes of a recording.
//!
//! ```text
//! "simplechat recording\n" | version (1) | header | entry | entry | ...
//! ```
//!
//! The header and each entry are preceded by their length, a varint, and are in the encoding of postcard. The time of a
//! fact counts from the fact before: microseconds, then by how many milliseconds the time of day moved differently.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Entry, Header};
use crate::time::{Moment, Timestamp, WallTime};

/// What every recording starts with.
pub const MAGIC: &[u8] = b"simplechat recording\n";
/// The version of what follows. A recording is for its own version of the program, or one near to it.
pub const VERSION: u8 = 9;

/// A header with very many accounts.
const HEADER_LEN_MAX: usize = 64 * 1024 * 1024;
/// Most are no longer than the payload of a frame, but a reload holds all accounts.
const ENTRY_LEN_MAX: usize = HEADER_LEN_MAX;

const FACT: u8 = 0;
const ACT: u8 = 1;
const END: u8 = 2;
const RESTORED: u8 = 3;

/// Turns entries into bytes.
#[derive(Debug)]
pub struct Encoder {
    last: Moment,
    /// What is encoded before its length is known.
    scratch: Vec<u8>,
}

impl Encoder {
    /// Starts a recording: adds to `bytes` what stands before the entries.
    #[must_use]
    pub fn start(header: &Header, bytes: &mut Vec<u8>) -> Self {
        let mut encoder = Self {
            last: header.started(),
            scratch: Vec::new(),
        };
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        encoder.add(header, bytes);
        encoder
    }

    /// Adds an entry.
    pub fn entry(&mut self, entry: &Entry, bytes: &mut Vec<u8>) {
        match entry {
            Entry::Fact(now, fact) => {
                let (elapsed, drift) = elapsed(self.last, *now);
                self.last = *now;
                self.add(&(FACT, elapsed, drift, fact), bytes);
            }
            Entry::Act(act) => self.add(&(ACT, act), bytes),
            Entry::End(end) => self.add(&(END, end), bytes),
            Entry::Restored(record) => self.add(&(RESTORED, record), bytes),
        }
    }

    fn add(&mut self, value: &impl Serialize, bytes: &mut Vec<u8>) {
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        scratch = postcard::to_extend(value, scratch).expect("what is recorded always serialises");
        let len = u32::try_from(scratch.len()).unwrap_or(u32::MAX);
        let mut prefix = [0; 5];
        let prefix =
            postcard::to_slice(&len, &mut prefix).expect("a length has five bytes at most");
        bytes.extend_from_slice(prefix);
        bytes.extend_from_slice(&scratch);
        self.scratch = scratch;
    }
}

/// How far `now` is behind `last`: microseconds, and milliseconds that only the time of day moved. It wraps, so that any
/// two moments can be written.
fn elapsed(last: Moment, now: Moment) -> (u64, i64) {
    let elapsed = now.at.as_micros().wrapping_sub(last.at.as_micros());
    let drift = now.wall.0.wrapping_sub(expected_wall(last, now.at));
    (elapsed, drift.cast_signed())
}

fn moment_after(last: Moment, (elapsed, drift): (u64, i64)) -> Moment {
    let at = Timestamp::from_micros(last.at.as_micros().wrapping_add(elapsed));
    let wall = WallTime(expected_wall(last, at).wrapping_add(drift.cast_unsigned()));
    Moment { at, wall }
}

fn expected_wall(last: Moment, now: Timestamp) -> u64 {
    let millis = |at: Timestamp| at.as_micros() / 1_000;
    last.wall
        .0
        .wrapping_add(millis(now).wrapping_sub(millis(last.at)))
}

/// Why bytes are no recording, or none that can be read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// It does not start like one.
    #[error("this is no recording of simplechat")]
    Foreign,
    /// It is of another version.
    #[error(
        "this recording has version {0}, and this program reads version {VERSION}: use the program that wrote it"
    )]
    Version(u8),
    /// What stands before the entries makes no sense.
    #[error("the recording is damaged: its header makes no sense")]
    Header,
    /// At this byte something makes no sense.
    #[error("the recording is damaged at byte {0}")]
    Damaged(u64),
}

/// Turns bytes into entries again. It holds no more than one entry and what was pushed last.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where in the buffer the next part starts.
    start: usize,
    /// Where in the recording the buffer starts.
    offset: u64,
    /// `None` until the header was read.
    last: Option<Moment>,
}

impl Decoder {
    /// Adds bytes as they were read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.offset = self.place();
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The header, once it is there; to be called until it is, and before [`Self::entry`].
    ///
    /// # Errors
    ///
    /// When this is no recording, or not of this version.
    pub fn header(&mut self) -> Result<Option<Header>, Unreadable> {
        let rest = self.rest();
        let known = rest.len().min(MAGIC.len());
        if rest.get(..known) != MAGIC.get(..known) {
            return Err(Unreadable::Foreign);
        }
        let Some(&version) = rest.get(MAGIC.len()) else {
            return Ok(None);
        };
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        let before = MAGIC.len() + 1;
        let found = part(rest.get(before..).unwrap_or_default(), HEADER_LEN_MAX);
        let Some((body, len)) = found.map_err(|Nonsense| Unreadable::Header)? else {
            return Ok(None);
        };
        let header: Header = read(body).map_err(|Nonsense| Unreadable::Header)?;
        if !header.is_sound() {
            return Err(Unreadable::Header);
        }
        self.start += before + len;
        self.last = Some(header.started());
        Ok(Some(header))
    }

    /// The next entry, once it is there.
    ///
    /// # Errors
    ///
    /// When what is there is no entry; nothing behind it can be read then.
    pub fn entry(&mut self) -> Result<Option<Entry>, Unreadable> {
        let damaged = Unreadable::Damaged(self.place());
        let last = self.last.ok_or(damaged)?;
        let found = part(self.rest(), ENTRY_LEN_MAX).map_err(|Nonsense| damaged)?;
        let Some((body, len)) = found else {
            return Ok(None);
        };
        let entry = read_entry(last, body).map_err(|Nonsense| damaged)?;
        if let Entry::Fact(now, _) = entry {
            self.last = Some(now);
        }
        self.start += len;
        Ok(Some(entry))
    }

    /// Whether nothing waits for its rest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// How many bytes of the recording were understood.
    #[must_use]
    pub fn place(&self) -> u64 {
        self.offset
            .saturating_add(u64::try_from(self.start).unwrap_or(u64::MAX))
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }
}

struct Nonsense;

/// The first part of `bytes` without its length, and how many bytes it takes with it. `None`: more bytes are needed.
fn part(bytes: &[u8], len_max: usize) -> Result<Option<(&[u8], usize)>, Nonsense> {
    let (len, rest) = match postcard::take_from_bytes::<u32>(bytes) {
        Ok(found) => found,
        Err(postcard::Error::DeserializeUnexpectedEnd) => return Ok(None),
        Err(_) => return Err(Nonsense),
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if len > len_max {
        return Err(Nonsense);
    }
    let prefix = bytes.len() - rest.len();
    Ok(rest.get(..len).map(|body| (body, prefix + len)))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Nonsense> {
    match postcard::take_from_bytes(body) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(Nonsense),
    }
}

fn read_entry(last: Moment, body: &[u8]) -> Result<Entry, Nonsense> {
    let (&kind, body) = body.split_first().ok_or(Nonsense)?;
    match kind {
        FACT => {
            let (elapsed, drift, fact) = read(body)?;
            Ok(Entry::Fact(moment_after(last, (elapsed, drift)), fact))
        }
        ACT => read(body).map(Entry::Act),
        END => read(body).map(Entry::End),
        RESTORED => read(body).map(Entry::Restored),
        _ => Err(Nonsense),
    }
}
