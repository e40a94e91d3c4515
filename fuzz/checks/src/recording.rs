//! Recordings of servers, which may come from anybody who reports a bug.

use simplechat_core::server::recording::tape::{Decoder, Encoder, Unreadable};
use simplechat_core::server::recording::{Entry, Header, Replay};

/// What of a recording can be read, and what stopped the reading.
type Read = (Option<Header>, Vec<Entry>, Option<Unreadable>);

/// Any file in any cuts reads the same, what can be read is written as something that reads the same, and a replay of it
/// ends.
///
/// # Panics
///
/// When that does not hold.
pub fn recording(data: &[u8]) {
    let Some((&first, file)) = data.split_first() else {
        return;
    };
    let whole = read(&[file]);
    let size = usize::from(first) + 1;
    let pieces: Vec<_> = file.chunks(size).collect();
    assert_eq!(read(&pieces), whole, "cut into pieces of {size}");
    let (Some(header), entries, _) = whole else {
        return;
    };
    let written = write(&header, &entries);
    let again = read(&[&written]);
    let expected = (Some(header.clone()), entries.clone(), None);
    assert_eq!(again, expected, "written and read back");
    let mut replay = Replay::new(&header);
    for entry in &entries {
        // What it says of a recording that somebody has made up does not matter.
        if replay.take(entry).is_err() {
            break;
        }
    }
}

fn read(pieces: &[&[u8]]) -> Read {
    let mut decoder = Decoder::default();
    let mut header = None;
    let mut entries = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        if header.is_none() {
            match decoder.header() {
                Ok(found) => header = found,
                Err(error) => return (header, entries, Some(error)),
            }
        }
        while header.is_some() {
            match decoder.entry() {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => break,
                Err(error) => return (header, entries, Some(error)),
            }
        }
    }
    (header, entries, None)
}

fn write(header: &Header, entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::start(header, &mut bytes);
    for entry in entries {
        encoder.entry(entry, &mut bytes);
    }
    bytes
}
