//! Why the data directory, or something in it, cannot be used, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::key_file::{BadKey, Kind};
use crate::problems::Problems;

/// Why there are no data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is no default.
    #[error(
        "you have no home directory to keep keys in: name a directory for them with --data DIR"
    )]
    NoHome,
    /// A directory cannot be made.
    #[error(
        "the data directory {} cannot be made: {source}; name another one with --data DIR",
        .path.display()
    )]
    NotMade {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something else is where the directory should be.
    #[error("{} is no directory: name another one with --data DIR", .0.display())]
    NoDirectory(PathBuf),
    /// Others could put their own keys there.
    #[error(
        "others can write in the data directory {path}: run `chmod go-w {path}`, and look at who has written there",
        path = .0.display()
    )]
    OpenDirectory(PathBuf),
    /// Others could put another directory in its place.
    #[error(
        "everybody can write in {parent}, and so put another directory in the place of {path}: run `chmod o-w {parent}`, \
         or name another directory with --data DIR",
        parent = .parent.display(), path = .path.display()
    )]
    OpenParent {
        /// The data directory.
        path: PathBuf,
        /// A directory that it is in.
        parent: PathBuf,
    },
    /// Somebody else could put their own keys there.
    #[error(
        "the data directory {} belongs to another user (their id is {owner}): run this as that user, or name another \
         directory with --data DIR",
        .path.display()
    )]
    ForeignDirectory {
        /// Which one.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Something cannot be read.
    #[error("{} cannot be read: {source}", .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something cannot be written.
    #[error("{} cannot be written: {source}", .path.display())]
    Unwritable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The directory cannot be locked.
    #[error("{} cannot be locked: {source}", .path.display())]
    NotLocked {
        /// The file of the lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, a link or something else is where a file should be.
    #[error(
        "{} is no ordinary file: put the file itself there, not a link to it, or remove it",
        .0.display()
    )]
    NoFile(PathBuf),
    /// Others can get at a key.
    #[error(
        "others can read or write {path}, which is secret: run `chmod 600 {path}`; if somebody may have read it, remove \
         it, and a new one is made",
        path = .0.display()
    )]
    OpenSecret(PathBuf),
    /// Others can change what is believed.
    #[error(
        "others can write {path}: look at what is in it, and run `chmod go-w {path}`",
        path = .0.display()
    )]
    OpenFile(PathBuf),
    /// A key cannot be used.
    #[error("{} {why}; restore it from a backup, or remove it: {}", .path.display(), .kind.loss())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What it should be.
        kind: Kind,
        /// What is wrong.
        why: BadKey,
    },
    /// Lines of the known servers are wrong.
    #[error("{0}\nMend or remove what is wrong there; nothing was changed.")]
    KnownServers(Problems),
    /// The known servers would be too many.
    #[error(
        "{} would be larger than {max} bytes: `simplechat known list` shows what is in it, and `simplechat known forget \
         PLACE` takes something out",
        .path.display()
    )]
    TooManyServers {
        /// Their file.
        path: PathBuf,
        /// Its bound.
        max: u64,
    },
}

impl DataError {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable {
            path: path.into(),
            source,
        }
    }
}
