//! Who runs where. Attackers and users would have machines of their own, so none of them may take the server's processor,
//! nor attackers that of users. What cannot be had only makes the figures worse.

use std::process::{Command, Stdio};

use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

/// Who somebody is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// It has the first processor.
    Server,
    /// All the others.
    Others,
}

impl Side {
    /// Has this thread, and what it starts, run where it belongs.
    pub(crate) fn take_cores(self) {
        let Ok(all) = sched_getaffinity(None) else {
            return;
        };
        let cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let mut own = CpuSet::new();
        match self {
            Self::Server => cores.take(1).for_each(|core| own.set(core)),
            Self::Others => cores.skip(1).for_each(|core| own.set(core)),
        }
        // There may be only one.
        let _ = sched_setaffinity(None, &own);
    }
}

/// Has this thread run only when nobody else wants to.
pub(crate) fn stand_back() {
    let id = gettid().as_raw_nonzero().to_string();
    if !is_idle(&["--pid", "0", &id]) {
        let _ = setpriority_process(None, 19);
    }
}

/// The same for a process with all its threads.
pub(crate) fn send_back(process: u32) {
    let _ = is_idle(&["--all-tasks", "--pid", "0", &process.to_string()]);
}

fn is_idle(whom: &[&str]) -> bool {
    let chrt = Command::new("chrt")
        .arg("--idle")
        .args(whom)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    chrt.is_ok_and(|status| status.success())
}
