//! Signals that ask the program to end: Ctrl-C, a terminal that closes, and a service manager's wish.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `end` for each such signal, with how many there were before it.
pub(crate) fn on_end(mut end: impl FnMut(usize) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for (before, _) in signals.forever().enumerate() {
                end(before);
            }
        })?;
    Ok(())
}
