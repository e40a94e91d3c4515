//! The servers that a client has seen: `known_servers`, a text file with a line for each.
//!
//! ```text
//! # a comment
//! chat.example.org:5150 KEY 2027-01-15
//! ```
//!
//! A line has the place, the server's public key in base 32, and the day on which it was first seen; what follows is left
//! for later versions, and so are lines that start with `@`. People may edit the file: comments, blank lines and their
//! order are kept, a place may have several lines (then each of the keys is right), and a line that makes no sense is
//! named by its number, with nothing written until it is mended.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};
use jiff::civil::Date;
use simplechat_core::key::PublicKey;

use super::{DataDirectory, DataError, Secrecy};
use crate::place::Place;
use crate::problems::Problems;

const NAME: &str = "known_servers";
/// Some ten thousand servers.
const LEN_MAX: u64 = 1024 * 1024;
const HEADER: &str = "\
# The servers that this client knows: place, key, first seen. `simplechat known` shows and forgets them.
";

/// What is known of a server that shows a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// It has shown this key before.
    Same,
    /// Nothing is known of that place.
    Unknown,
    /// It had another key, which was this one.
    Changed(PublicKey),
}

/// A server that was seen before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownServer {
    /// Where.
    pub place: Place,
    /// The key that it showed.
    pub key: PublicKey,
    /// When that was.
    pub first_seen: Date,
}

/// The file.
#[derive(Clone, Debug)]
pub struct KnownServers {
    directory: DataDirectory,
    len_max: u64,
}

impl KnownServers {
    /// That of a client's data directory. It need not be there.
    #[must_use]
    pub fn of(directory: &DataDirectory) -> Self {
        Self {
            directory: directory.clone(),
            len_max: LEN_MAX,
        }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.file(NAME)
    }

    /// All of them, in the order of the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, others can write it, or lines of it are wrong.
    pub fn list(&self) -> Result<Vec<KnownServer>, DataError> {
        self.parse(&self.read()?)
    }

    /// What is known of the server at a place, now that it shows this key.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::list`].
    pub fn look_up(&self, place: &Place, shown: &PublicKey) -> Result<Known, DataError> {
        Ok(compare(&self.list()?, place, shown))
    }

    /// Notes that a place has a key. Nothing is written when something is known of the place already: what that is comes
    /// back, and it may be another key if another client was faster.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::list`], and when it cannot be written or would be too large.
    pub fn remember(
        &self,
        place: &Place,
        key: &PublicKey,
        first_seen: Date,
    ) -> Result<Known, DataError> {
        let writer = self.directory.lock()?;
        let mut text = self.read()?;
        match compare(&self.parse(&text)?, place, key) {
            Known::Unknown => {}
            known @ (Known::Same | Known::Changed(_)) => return Ok(known),
        }
        if text.is_empty() {
            text.push_str(HEADER);
        } else if !text.ends_with('\n') {
            text.push('\n');
        }
        let key = BASE32_NOPAD.encode(&key.0).to_ascii_lowercase();
        let _ = writeln!(text, "{place} {key} {first_seen}");
        if len(&text) > self.len_max {
            return Err(self.too_large());
        }
        writer.write(NAME, text.as_bytes())?;
        Ok(Known::Same)
    }

    /// Forgets a place, and gives what was known of it.
    ///
    /// # Errors
    ///
    /// As [`KnownServers::list`], and when it cannot be written.
    pub fn forget(&self, place: &Place) -> Result<Vec<KnownServer>, DataError> {
        let writer = self.directory.lock()?;
        let text = self.read()?;
        let mut forgotten = self.parse(&text)?;
        forgotten.retain(|server| server.place == *place);
        if forgotten.is_empty() {
            return Ok(forgotten);
        }
        let kept: String = text
            .split_inclusive('\n')
            .filter(|line| {
                let server = parse_line(line).ok().flatten();
                server.is_none_or(|server| server.place != *place)
            })
            .collect();
        writer.write(NAME, kept.as_bytes())?;
        Ok(forgotten)
    }

    fn read(&self) -> Result<String, DataError> {
        let Some(file) = self.directory.open(NAME, Secrecy::Public)? else {
            return Ok(String::new());
        };
        let path = self.path();
        let mut bytes = Vec::new();
        file.take(self.len_max + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| DataError::unreadable(&path, source))?;
        String::from_utf8(bytes)
            .map_err(|error| {
                let good = error.as_bytes().get(..error.utf8_error().valid_up_to());
                let line = 1 + newlines(good.unwrap_or_default());
                let mut problems = Problems::default();
                problems.add(
                    format!("{}:{line}", path.display()),
                    "the line is not UTF-8 text",
                );
                DataError::KnownServers(problems)
            })
            .and_then(|text| {
                if len(&text) > self.len_max {
                    Err(self.too_large())
                } else {
                    Ok(text)
                }
            })
    }

    fn parse(&self, text: &str) -> Result<Vec<KnownServer>, DataError> {
        let mut servers = Vec::new();
        let mut problems = Problems::default();
        for (line, number) in text.lines().zip(1..) {
            match parse_line(line) {
                Ok(server) => servers.extend(server),
                Err(what) => {
                    let path = self.path();
                    problems.add(format!("{}:{number}", path.display()), what);
                }
            }
        }
        if problems.is_empty() {
            Ok(servers)
        } else {
            Err(DataError::KnownServers(problems))
        }
    }

    fn too_large(&self) -> DataError {
        DataError::TooManyServers {
            path: self.path(),
            max: self.len_max,
        }
    }
}

fn compare(servers: &[KnownServer], place: &Place, shown: &PublicKey) -> Known {
    let mut here = servers.iter().filter(|server| server.place == *place);
    let Some(first) = here.next() else {
        return Known::Unknown;
    };
    if first.key == *shown || here.any(|server| server.key == *shown) {
        Known::Same
    } else {
        Known::Changed(first.key)
    }
}

/// The server on a line, if there is one; or what is wrong.
fn parse_line(line: &str) -> Result<Option<KnownServer>, String> {
    let mut fields = line.split_whitespace();
    let Some(place) = fields.next().filter(|first| !first.starts_with(['#', '@'])) else {
        return Ok(None);
    };
    let place = place
        .parse()
        .map_err(|error: crate::place::InvalidPlace| error.to_string())?;
    let key = fields
        .next()
        .and_then(parse_key)
        .ok_or("after the place comes the server's key: 52 letters and digits")?;
    let first_seen = fields
        .next()
        .and_then(|date| date.parse().ok())
        .ok_or("after the key comes the day on which it was first seen, as in 2027-01-15")?;
    Ok(Some(KnownServer {
        place,
        key,
        first_seen,
    }))
}

fn parse_key(digits: &str) -> Option<PublicKey> {
    let bytes = BASE32_NOPAD_NOCASE.decode(digits.as_bytes()).ok()?;
    bytes.try_into().ok().map(PublicKey)
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn len(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
