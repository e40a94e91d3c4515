//! The accounts of a server: `credentials.txt`, a name and a password on each line.
//!
//! The file is written by hand, so every line that cannot be read is named with what is wrong, all of them at once. What
//! is never named is anything that could be a password: of a bad line only a name that has an account already is shown.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use simplechat_core::limits::PASSWORD_LEN_MAX;
use simplechat_core::name::Name;
use simplechat_core::text::Password;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::problems::Problems;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Who has an account, and the proof of it.
pub struct Credentials {
    accounts: BTreeMap<Name, Padded>,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// There is no such file.
    #[error(
        "there is no credentials file {}: make one with an account on each line, its name and its password separated by \
         white space, such as\n    alice her-password",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is there and cannot be read.
    #[error("the credentials file {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no account.
    #[error(
        "{0} has no account: write each on a line of its own, its name and its password separated by white space, such \
         as\n    alice her-password"
    )]
    NoAccounts(String),
    /// Lines of the file are wrong.
    #[error("{0}")]
    Wrong(Problems),
}

/// What is wrong with a line. Nothing here may show what could be a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
enum BadLine {
    #[error("the line is not UTF-8 text: save the file as UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Name(simplechat_core::name::InvalidName),
    #[error("a password is missing: write the name and the password, separated by white space")]
    NoPassword,
    #[error("{0}")]
    Password(simplechat_core::text::InvalidPassword),
    #[error(
        "something follows the password: a password holds no white space, and a comment has a line of its own"
    )]
    ThirdField,
    #[error("{name} has an account already, on line {first_line}")]
    Duplicate { name: Name, first_line: usize },
}

impl Credentials {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it is not there or cannot be read, when lines of it are wrong (then all of them are named), and when it holds
    /// no account.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(CredentialsError::Missing(path.into()));
            }
            Err(source) => {
                return Err(CredentialsError::Unreadable {
                    path: path.into(),
                    source,
                });
            }
        };
        Self::parse(&path.display().to_string(), &bytes)
    }

    /// Reads what a file of that name holds. A byte order mark and lines that end in `\r\n` are taken.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn parse(file_name: &str, bytes: &[u8]) -> Result<Self, CredentialsError> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let mut accounts: BTreeMap<Name, (usize, Padded)> = BTreeMap::new();
        let mut problems = Problems::default();
        for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
            let account = parse_line(line).and_then(|account| match account {
                Some((name, _)) if accounts.contains_key(&name) => Err(BadLine::Duplicate {
                    name,
                    first_line: accounts.get(&name).map_or(0, |(line, _)| *line),
                }),
                other => Ok(other),
            });
            match account {
                Ok(Some((name, password))) => {
                    accounts.insert(name, (number, Padded::new(&password)));
                }
                Ok(None) => {}
                Err(bad) => problems.add(format!("{file_name}:{number}"), bad.to_string()),
            }
        }
        if !problems.is_empty() {
            return Err(CredentialsError::Wrong(problems));
        }
        if accounts.is_empty() {
            return Err(CredentialsError::NoAccounts(file_name.into()));
        }
        let accounts = accounts
            .into_iter()
            .map(|(name, (_, password))| (name, password))
            .collect();
        Ok(Self { accounts })
    }

    /// The names of all accounts, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = Name> {
        self.accounts.keys().copied()
    }

    /// Whether that is the account's password.
    ///
    /// How long it takes tells neither whether there is such an account nor how much of the password was right: an
    /// unknown name is compared too, with a password that nobody has.
    #[must_use]
    pub fn verify(&self, name: Name, password: &Password) -> bool {
        let nobodys = Padded::nobodys();
        let account = self.accounts.get(&name);
        let exists = Choice::from(u8::from(account.is_some()));
        let equal = account.unwrap_or(&nobodys).equals(&Padded::new(password));
        (exists & equal).into()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} accounts)", self.accounts.len())
    }
}

/// The account on a line, if there is one.
fn parse_line(line: &[u8]) -> Result<Option<(Name, Password)>, BadLine> {
    let line = str::from_utf8(line).map_err(|_| BadLine::NotUtf8)?;
    let mut fields = line.split_whitespace();
    let Some(name) = fields.next().filter(|first| !first.starts_with('#')) else {
        return Ok(None);
    };
    let name = name.parse().map_err(BadLine::Name)?;
    let password = fields.next().ok_or(BadLine::NoPassword)?;
    if fields.next().is_some() {
        return Err(BadLine::ThirdField);
    }
    let password = Password::new(password.into()).map_err(BadLine::Password)?;
    Ok(Some((name, password)))
}

/// A password with zeros behind it: all have the same size, so comparing them takes the same time.
struct Padded {
    bytes: Zeroizing<[u8; PASSWORD_LEN_MAX]>,
    /// A password may end in zeros of its own.
    len: u64,
}

impl Padded {
    fn new(password: &Password) -> Self {
        let mut padded = Self::nobodys();
        let given = password.reveal().as_bytes();
        for (byte, given) in padded.bytes.iter_mut().zip(given) {
            *byte = *given;
        }
        padded.len = u64::try_from(given.len()).unwrap_or(u64::MAX);
        padded
    }

    /// Of length zero, which no password has.
    fn nobodys() -> Self {
        Self {
            bytes: Zeroizing::new([0; PASSWORD_LEN_MAX]),
            len: 0,
        }
    }

    fn equals(&self, other: &Self) -> Choice {
        self.bytes.as_slice().ct_eq(other.bytes.as_slice()) & self.len.ct_eq(&other.len)
    }
}

#[cfg(test)]
mod tests;
