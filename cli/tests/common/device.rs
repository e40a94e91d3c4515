//! A file system whose device fails: `.ci/disks` makes one, and says where it is.
#![allow(clippy::print_stderr, reason = "it says what is skipped")]

use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

/// The device is a file on another file system. When that is full, the device fails at each block that was never written, and nobody hears of
/// it but who waits for the disk: until then the kernel has what was written.
pub(crate) struct Device {
    pub(crate) disk: PathBuf,
    ballast: PathBuf,
}

impl Device {
    /// The one that there is. A test without one has nothing to do.
    pub(crate) fn find() -> Option<Self> {
        let Some(disk) = env::var_os("SIMPLECHAT_FAILING_DISK").map(PathBuf::from) else {
            eprintln!("skipped: SIMPLECHAT_FAILING_DISK names no such file system");
            return None;
        };
        Some(Self {
            ballast: disk.with_file_name("ballast"),
            disk,
        })
    }

    /// From now on it takes nothing in a new place.
    pub(crate) fn fails(&self) {
        fill(&self.ballast);
    }

    pub(crate) fn is_mended(&self) {
        fs::remove_file(&self.ballast).unwrap();
    }

    /// What the kernel has of the files in a directory, and takes for written, is read from the disk the next time: as after the power has
    /// failed, or when the memory is needed.
    pub(crate) fn forgets(&self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let file = File::open(entry.unwrap().path()).unwrap();
            // What it has not tried to write yet, nobody has waited for.
            let _ = file.sync_all();
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        }
    }
}

/// Makes a file that takes all the room that is left.
pub(crate) fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [1 << 16, 512] {
        let piece = vec![0; size];
        while file.write_all(&piece).is_ok() {}
    }
}
