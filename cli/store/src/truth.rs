//! What the disk has of a database, when the kernel says otherwise.
//!
//! What a program writes the kernel has, and brings to the disk later or when it is asked to (fsync). If the disk fails then, the kernel says
//! so once, and goes on as if it had been written: whoever reads it gets it, until the memory is needed or the power fails. Nor is
//! it enough to write it again. Where ext4 had set room aside for it, the second time it writes into that room, succeeds, and leaves the room marked
//! as never written, so that it reads as zeros one day. So after a failure the kernel has to forget what it has of the files: then what is
//! read is what the disk has, and what is written again is written as if for the first time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The log that SQLite has beside a database.
fn log(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Before a database is opened: sees to it that nothing is read that an earlier process wrote and the disk did not take. One that was closed in
/// order has no log, and all of it is on the disk.
pub(crate) fn look(path: &Path) -> io::Result<()> {
    let log = match File::open(log(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        log => log?,
    };
    for file in [log, File::open(path)?] {
        file.sync_all()?;
        forget_file(&file);
    }
    Ok(())
}

/// After a failure: has the kernel forget what it has of a database that is open.
pub(crate) fn forget(database: &File, path: &Path) {
    forget_file(database);
    if let Ok(log) = File::open(log(path)) {
        forget_file(&log);
    }
}

/// What still has to be written stays.
fn forget_file(file: &File) {
    #[cfg(target_os = "linux")]
    // Where it cannot be done, nothing is worse than before.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    #[cfg(not(target_os = "linux"))]
    let _ = file;
}
