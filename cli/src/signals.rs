//! Signals that the program is sent: Ctrl-C, a service manager's wish, a terminal that closes or an operator who wants the
//! files to be read again. One would end it without a word and must not: that a file may not grow any more. Whoever writes
//! there is told so.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signal {
    /// The program is to end.
    End,
    /// SIGHUP: the terminal is gone; or, where there is none, files are to be read again.
    HangUp,
}

/// Calls `react` for each signal, on a thread of its own.
pub(crate) fn listen(mut react: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGXFSZ])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGXFSZ => {}
                    SIGHUP => react(Signal::HangUp),
                    _ => react(Signal::End),
                }
            }
        })?;
    Ok(())
}
