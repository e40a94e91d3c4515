//! What the program's exit codes mean, and the one line that is said when it fails.

use std::process::ExitCode;

/// How the program ended. Scripts depend on these; they are documented in `docs/COMMANDS.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// Something else went wrong, or messages were left unsent.
    Failed = 1,
    /// The command line, the settings or the accounts cannot be used.
    Usage = 2,
    /// The login was refused, or the account is locked.
    LoginRefused = 3,
    /// The server cannot be reached.
    Unreachable = 4,
    /// The account was logged in from another client.
    TakenOver = 5,
    /// The replay of a recording does not go as recorded.
    Differs = 6,
    /// The server's key is another one than it should be, or nobody has said that it is right.
    Untrusted = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the program cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong and what to do, for a person.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl ToString) -> Self {
        Self {
            exit,
            message: message.to_string(),
        }
    }
}
