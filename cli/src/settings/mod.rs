//! The settings of the program: what can be set, where it is set, and what is possible.
//!
//! Each setting is declared once, in `keys`, with its type, default, range and explanation; its field, its name in the
//! environment, its place in the file and in the text of `simplechat config` come from there. Four layers are read, each
//! overruling the one before: the default, the file, the environment, the flags. A name that is not known is an error in
//! every layer, since a typing error that is silently ignored looks like a setting that does not work.
//!
//! `file` reads RON with the place of every key, `value` the single values; `layers` puts all together, `check` compares
//! what belongs together, `unknown` answers to typing errors, and `text` writes settings down.

mod check;
mod declare;
mod file;
mod keys;
mod layers;
mod text;
mod unknown;
mod value;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

pub use keys::{JoinSettings, ServeSettings, Settings};

use crate::problems::Problems;
use layers::Draft;

/// How important something is that is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    /// What keeps the server from its work.
    Error,
    /// What an operator should look at.
    Warn,
    /// What users do that others notice.
    Info,
    /// Everything.
    Debug,
}

/// What waits for connections, and hands in what came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Transport {
    /// A fixed number of threads, on std's sockets.
    Std,
    /// Tasks, on async-std.
    Async,
}

/// Where a server may listen whose accounts file holds passwords in plain text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlainPasswords {
    /// Only for programs on the same host.
    Loopback,
    /// Wherever it is told to.
    Anywhere,
}

/// A setting from a flag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// Which setting, with its section: `serve.timeout`.
    pub key: String,
    /// What it is set to, written as in the environment: without quotes.
    pub value: String,
    /// Where it was written, to be named when it is wrong: `--set`, `--listen`.
    pub place: String,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no such file.
    #[error(
        "there is no settings file {path}; one with all defaults is written by: simplechat config > {path}",
        path = .0.display()
    )]
    Missing(PathBuf),
    /// The file is there and cannot be read.
    #[error("the settings file {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in them is wrong or impossible.
    #[error("{0}")]
    Wrong(Problems),
}

/// A text that should be `KEY=VALUE` and is not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no \"=\" in it: write a setting and its value, such as serve.timeout=95s")]
pub struct NoAssignment;

impl Override {
    /// Reads the `KEY=VALUE` of a flag.
    ///
    /// # Errors
    ///
    /// When there is no `=`. Whether there is such a key, and whether it takes that value, shows in [`Settings::load`].
    pub fn from_assignment(text: &str, place: &str) -> Result<Self, NoAssignment> {
        let (key, value) = text.split_once('=').ok_or(NoAssignment)?;
        Ok(Self {
            key: key.trim().into(),
            value: value.trim().into(),
            place: place.into(),
        })
    }
}

impl Settings {
    /// Reads all layers over the defaults: a file, if there is one, the environment, and the flags in their order.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and when anything is unknown, of the wrong type or impossible; then all of it is
    /// named with its place.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[Override],
    ) -> Result<Self, SettingsError> {
        let mut draft = Draft::default();
        if let Some(path) = file {
            draft.apply_file(&path.display().to_string(), &read_file(path)?);
        }
        draft.apply_environment(environment);
        draft.apply_overrides(overrides);
        draft.finish().map_err(SettingsError::Wrong)
    }

    /// The settings of what a file of that name holds, over the defaults.
    ///
    /// # Errors
    ///
    /// When anything in it is unknown, of the wrong type or impossible; then all of it is named with its place.
    pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Self, SettingsError> {
        let mut draft = Draft::default();
        draft.apply_file(file_name, bytes);
        draft.finish().map_err(SettingsError::Wrong)
    }

    /// The settings as a settings file that explains each of them: of the defaults, the text of `simplechat config`.
    #[must_use]
    pub fn to_ron(&self) -> String {
        text::to_ron(self)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, SettingsError> {
    std::fs::read(path).map_err(|source| {
        let path = path.into();
        if source.kind() == io::ErrorKind::NotFound {
            SettingsError::Missing(path)
        } else {
            SettingsError::Unreadable { path, source }
        }
    })
}

#[cfg(test)]
mod tests;
