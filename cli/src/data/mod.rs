//! The data directory: what the program keeps for itself, each part (server, client) in a directory of its own.
//!
//! Keys are in it, so nobody else may write there or read those. What is written replaces a file as a whole or not at all:
//! a temporary file beside it, private from its first byte on, is put in its place when it is on the disk. Whoever writes
//! holds the directory's lock, so two processes that start at once do not both make a key.
//!
//! Permissions are looked at on Unix only.

mod error;
mod identity;
mod key_file;
mod known_servers;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

pub use error::DataError;
pub use identity::{ServerIdentity, client_key, client_store};
pub use key_file::{BadKey, Kind};
pub use known_servers::{Known, KnownServer, KnownServers};

const LOCK_NAME: &str = "lock";

/// Whose data it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// What a server keeps.
    Server,
    /// What a client keeps.
    Client,
}

impl Part {
    /// Where it is unless somebody says otherwise: in the user's data directory, by the XDG rules.
    ///
    /// # Errors
    ///
    /// When the user has no home directory.
    pub fn default_path(self) -> Result<PathBuf, DataError> {
        let strategy = etcetera::choose_base_strategy().map_err(|_| DataError::NoHome)?;
        let name = match self {
            Self::Server => "server",
            Self::Client => "client",
        };
        Ok(strategy.data_dir().join("simplechat").join(name))
    }

    /// Where it is, with what the settings say.
    ///
    /// # Errors
    ///
    /// When nothing is said and the user has no home directory.
    pub fn path(self, setting: Option<&Path>) -> Result<PathBuf, DataError> {
        setting.map_or_else(|| self.default_path(), |path| Ok(path.into()))
    }
}

/// A directory in which nobody else can write.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
}

impl DataDirectory {
    /// The directory there, made if there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or is not fit for keys.
    pub fn make(path: &Path) -> Result<Self, DataError> {
        if let Some(found) = Self::find(path)? {
            return Ok(found);
        }
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let not_made = |source| DataError::NotMade {
            path: path.into(),
            source,
        };
        builder.create(path).map_err(not_made)?;
        #[cfg(unix)]
        check_parents(path)?;
        let made = Self { path: path.into() };
        // Without its entry up there a directory is lost with all that is in it.
        let parent = path.parent().filter(|parent| *parent != Path::new(""));
        sync(parent.unwrap_or_else(|| Path::new("."))).map_err(not_made)?;
        Ok(made)
    }

    /// The directory there, if there is one.
    ///
    /// # Errors
    ///
    /// When it is not fit for keys.
    pub fn find(path: &Path) -> Result<Option<Self>, DataError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DataError::unreadable(path, source)),
        };
        if !metadata.is_dir() {
            return Err(DataError::NoDirectory(path.into()));
        }
        if may_others(&metadata, WRITE) {
            return Err(DataError::OpenDirectory(path.into()));
        }
        #[cfg(unix)]
        check_owner(
            path,
            std::os::unix::fs::MetadataExt::uid(&metadata),
            our_id(),
        )?;
        #[cfg(unix)]
        check_parents(path)?;
        Ok(Some(Self { path: path.into() }))
    }

    /// Puts a file there, for its owner alone, in place of one that there may be.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), DataError> {
        self.lock()?.write(name, content)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file to read it, if it is there.
    fn open(&self, name: &str, secrecy: Secrecy) -> Result<Option<File>, DataError> {
        let path = self.file(name);
        let unreadable = |source| DataError::unreadable(&path, source);
        // Nobody else can change anything in this directory between the look and the opening.
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(unreadable(source)),
        };
        if !metadata.is_file() {
            return Err(DataError::NoFile(path));
        }
        match secrecy {
            Secrecy::Secret if may_others(&metadata, READ | WRITE) => {
                Err(DataError::OpenSecret(path))
            }
            Secrecy::Public if may_others(&metadata, WRITE) => Err(DataError::OpenFile(path)),
            Secrecy::Secret | Secrecy::Public => File::open(&path).map(Some).map_err(unreadable),
        }
    }

    /// Waits until nobody else writes here. Who does so is done at once.
    fn lock(&self) -> Result<Writer<'_>, DataError> {
        let path = self.file(LOCK_NAME);
        let locked = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(&path)
            .and_then(|file| file.lock().map(|()| file));
        match locked {
            Ok(lock) => Ok(Writer {
                directory: self,
                _lock: lock,
            }),
            Err(source) => Err(DataError::NotLocked { path, source }),
        }
    }
}

/// Whether others may read a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Secrecy {
    Secret,
    Public,
}

/// The right to write in a directory, until it is dropped.
#[derive(Debug)]
struct Writer<'a> {
    directory: &'a DataDirectory,
    _lock: File,
}

impl Writer<'_> {
    /// Puts a file there, in place of one that there may be. After a crash it is the old one or the new one.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), DataError> {
        self.try_write(name, content)
            .map_err(|source| DataError::Unwritable {
                path: self.directory.file(name),
                source,
            })
    }

    fn try_write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = self.directory.file(&format!("{name}.new"));
        // Whoever has the lock is alone, so one that is there was left by a crash.
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let written = private(OpenOptions::new().create_new(true).write(true))
            .open(&draft)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&draft, self.directory.file(name)));
        if let Err(error) = written {
            // If it cannot be removed either, the next one to write tries again.
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        sync(&self.directory.path)
    }
}

/// Makes what is opened readable for its owner alone, if it is made.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Sees to it that the entries of a directory are on the disk.
fn sync(directory: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(directory)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = directory;
    Ok(())
}

/// Permissions, as they stand three times in a mode.
const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
/// In such a directory nobody can remove or rename what belongs to others.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

/// Whoever has the directory can change what is in it. Root could in any case.
#[cfg(unix)]
fn check_owner(path: &Path, owner: u32, ours: u32) -> Result<(), DataError> {
    if owner == ours || owner == 0 {
        return Ok(());
    }
    Err(DataError::ForeignDirectory {
        path: path.into(),
        owner,
    })
}

/// Whoever can write in a directory can put another one in the place of one that is in it, unless it is sticky, like that
/// for temporary files. The group may: on many systems everybody has one of their own, and it may write in all that they make.
#[cfg(unix)]
fn check_parents(path: &Path) -> Result<(), DataError> {
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |source| DataError::unreadable(path, source);
    let named = std::path::absolute(path).map_err(unreadable)?;
    let real = fs::canonicalize(path).map_err(unreadable)?;
    // Where a link is matters as much as where it leads.
    for parent in [&named, &real].iter().flat_map(|it| it.ancestors().skip(1)) {
        let mode = fs::metadata(parent).map_err(unreadable)?.permissions();
        if mode.mode() & (WRITE | STICKY) == WRITE {
            return Err(DataError::OpenParent {
                path: path.into(),
                parent: parent.into(),
            });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn our_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
fn may_others(metadata: &fs::Metadata, permissions: u32) -> bool {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    mode & (permissions << 3 | permissions) != 0
}

#[cfg(not(unix))]
fn may_others(_: &fs::Metadata, _: u32) -> bool {
    false
}

#[cfg(test)]
pub(crate) use tests::Folder;

#[cfg(test)]
pub(crate) mod tests;
