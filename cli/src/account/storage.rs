//! An accounts file on disk: read, and replaced in one step with nobody else in between.
//!
//! The lock is on the directory, since the file itself is another one after each change. Whoever reads the file without a
//! lock, as the server does, sees the old one or the new one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::document::Document;
use super::{failed, usage};
use crate::credentials::CredentialsError;
use crate::exit::Failure;

/// What a file means that is not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Absent {
    /// It is made.
    IsEmpty,
    IsError,
}

/// A file that is being changed, and that nobody else changes meanwhile.
pub(super) struct Editing {
    pub(super) document: Document,
    /// The file itself, where links to it lead.
    path: PathBuf,
    /// Its mode and owner are kept. `None` for a new file.
    metadata: Option<fs::Metadata>,
    /// Holds the lock.
    directory: File,
}

/// Reads a file as it is now.
pub(super) fn read(path: &Path) -> Result<Document, Failure> {
    let text = fs::read(path).map_err(|error| unreadable(path, error))?;
    document(path, text)
}

fn document(path: &Path, text: Vec<u8>) -> Result<Document, Failure> {
    Document::new(&path.display().to_string(), Zeroizing::new(text))
        .map_err(|problems| usage(CredentialsError::Wrong(problems).to_string()))
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    let path = path.into();
    usage(if source.kind() == ErrorKind::NotFound {
        CredentialsError::Missing(path).to_string()
    } else {
        CredentialsError::Unreadable { path, source }.to_string()
    })
}

impl Editing {
    /// Waits until nobody else changes the file, and reads it.
    pub(super) fn start(path: &Path, absent: Absent) -> Result<Self, Failure> {
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {
                path.to_owned()
            }
            Err(error) => return Err(unreadable(path, error)),
        };
        let directory = lock_directory(&target)
            .map_err(|error| failed(format!("{} cannot be locked: {error}", path.display())))?;
        let (text, metadata) = match (fs::read(&target), absent) {
            (Ok(text), _) => {
                let metadata = fs::metadata(&target).map_err(|error| unreadable(path, error))?;
                (text, Some(metadata))
            }
            (Err(error), Absent::IsEmpty) if error.kind() == ErrorKind::NotFound => {
                (Vec::new(), None)
            }
            (Err(error), _) => return Err(unreadable(path, error)),
        };
        Ok(Self {
            document: document(path, text)?,
            path: target,
            metadata,
            directory,
        })
    }

    /// Puts the changed file in the place of the old one. When it fails, the old one is as it was.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let unwritten = |error: io::Error| {
            let path = self.path.display();
            failed(format!(
                "{path} cannot be written, and is as it was: {error}"
            ))
        };
        let temporary = self.temporary().map_err(unwritten)?;
        let replaced = self
            .write(&temporary)
            .and_then(|()| fs::rename(&temporary, &self.path));
        if let Err(error) = replaced {
            // If it cannot be removed either, it is in nobody's way.
            let _ = fs::remove_file(&temporary);
            return Err(unwritten(error));
        }
        self.directory.sync_all().map_err(|error| {
            let path = self.path.display();
            failed(format!(
                "{path} was written, but may be the old one after a crash: {error}"
            ))
        })
    }

    /// A name that nobody has, in the same directory: only there it can take the place of the file.
    fn temporary(&self) -> io::Result<PathBuf> {
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(io::Error::other)?;
        let mut name = std::ffi::OsString::from(".");
        name.push(self.path.file_name().unwrap_or_default());
        name.push(format!(".{:016x}", u64::from_ne_bytes(suffix)));
        Ok(self.path.with_file_name(name))
    }

    fn write(&self, temporary: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(temporary)?;
        if let Some(old) = &self.metadata {
            let new = file.metadata()?;
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                // The server may run as another user than whoever edits its accounts.
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))?;
        }
        file.write_all(self.document.as_bytes())?;
        file.sync_all()
    }
}

fn lock_directory(path: &Path) -> io::Result<File> {
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let directory = File::open(parent.unwrap_or_else(|| Path::new(".")))?;
    loop {
        match flock(&directory, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(directory),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
