//! The lock that a server or client holds as long as it works with a store, so that there is never a second one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use crate::error::{Holder, StoreError, Trouble};

const NAME: &str = "store.lock";

/// Takes the lock of a directory. It ends with the file, however the process ends.
pub(crate) fn take(directory: &Path, holder: Holder) -> Result<File, StoreError> {
    let path = directory.join(NAME);
    let trouble = |error| Trouble::File(error).at(&path);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(trouble)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // Who has it is only a help: a lock without it holds as well.
            let _ = file.read_to_string(&mut text);
            let process = text.trim().parse().ok();
            return Err(Trouble::InUse { holder, process }.at(&path));
        }
        Err(TryLockError::Error(error)) => return Err(trouble(error)),
    }
    let note = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    // A disk without room for a number is no reason not to start: the store says it when it is needed.
    let _ = note(&mut file);
    Ok(file)
}
