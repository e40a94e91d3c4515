//! A line on a terminal that says how far it is; where nobody watches, nothing.

use std::io::{self, IsTerminal as _, Write as _};

const BAR_WIDTH: usize = 24;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(super) fn start() -> Self {
        Self {
            is_shown: io::stderr().is_terminal(),
        }
    }

    /// So much is done, of so much.
    pub(super) fn show(&self, what: &str, done: u64, of: u64) {
        if self.is_shown {
            self.write(&format!("\r\x1b[K{}", line(what, done, of)));
        }
    }

    fn write(&self, text: &str) {
        // Who does not look is no reason to end.
        let _ = io::stderr().write_all(text.as_bytes());
        let _ = io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            self.write("\r\x1b[K");
        }
    }
}

fn line(what: &str, done: u64, of: u64) -> String {
    let width = u64::try_from(BAR_WIDTH).unwrap_or(u64::MAX);
    let full = done.min(of).saturating_mul(width) / of.max(1);
    let full = usize::try_from(full).unwrap_or(BAR_WIDTH);
    let bar = "#".repeat(full) + &"-".repeat(BAR_WIDTH.saturating_sub(full));
    format!("[{bar}] {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_it_is_whatever_is_done() {
        assert_eq!(line("x", 0, 10), "[------------------------] x");
        assert_eq!(line("x", 5, 10), "[############------------] x");
        assert_eq!(line("x", 99, 10), "[########################] x");
        assert_eq!(line("x", 0, 0), "[------------------------] x");
    }
}
