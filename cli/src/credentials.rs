//! The accounts of a server: `credentials.txt`, a name and the proof of it on each line: a hash of the password, or for
//! trying things out the password itself.
//!
//! The file may be written by hand, so every line that cannot be read is named with what is wrong, all of them at once.
//! What is never named is anything that could be a password: of a bad line only a name that has an account already is
//! shown.
//!
//! A check costs one hash, whatever stands in the file: for a plain password it is computed for nothing, and an unknown
//! name is checked like one of the accounts. So the time that a check takes tells neither whether there is such an account
//! nor what is kept for it, also when accounts have hashes of several costs.

mod hash;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::fs;
use std::hash::BuildHasher as _;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use simplechat_core::limits::PASSWORD_LEN_MAX;
use simplechat_core::name::Name;
use simplechat_core::server::{AccountEntry, CredentialsDigest};
use simplechat_core::text::Password;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::problems::Problems;
pub(crate) use hash::Hash;
pub use hash::{Cost, InvalidHash, MEMORY_KIB_MAX, PASSES_MAX, Workbench};

pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Who has an account, and the proof of it.
pub struct Credentials {
    /// In the order of their names; there is at least one.
    accounts: Vec<(Name, Proof)>,
    /// What it costs to check a plain password.
    cost: Cost,
    /// Which account an unknown name is checked like.
    stand_ins: RandomState,
}

/// What is kept to know the owner of an account.
#[derive(Debug)]
pub(crate) enum Proof {
    Plain(Password),
    Hash(Hash),
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
pub(crate) enum BadLine {
    #[error("the line is not UTF-8 text: save the file as UTF-8")]
    NotUtf8,
    #[error("{0}")]
    Name(simplechat_core::name::InvalidName),
    #[error("a password is missing: write the name and the password, separated by white space")]
    NoPassword,
    #[error("{0}")]
    Password(simplechat_core::text::InvalidPassword),
    #[error("{0}")]
    Hash(InvalidHash),
    #[error(
        "something follows the password: a password holds no white space, and a comment has a line of its own"
    )]
    ThirdField,
    #[error("{name} has an account already, on line {first_line}")]
    Duplicate { name: Name, first_line: usize },
}

impl Credentials {
    /// Reads a file. Checking a plain password is to cost as much as a hash of that cost.
    ///
    /// # Errors
    ///
    /// When it is not there or cannot be read, when lines of it are wrong (then all of them are named), and when it holds
    /// no account.
    pub fn read(path: &Path, cost: Cost) -> Result<Self, CredentialsError> {
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
        Self::parse(&path.display().to_string(), &bytes, cost)
    }

    /// Reads what a file of that name holds. A byte order mark and lines that end in `\r\n` are taken.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn parse(file_name: &str, bytes: &[u8], cost: Cost) -> Result<Self, CredentialsError> {
        let accounts = read_lines(file_name, bytes).map_err(CredentialsError::Wrong)?;
        if accounts.is_empty() {
            return Err(CredentialsError::NoAccounts(file_name.into()));
        }
        let accounts = accounts
            .into_iter()
            .map(|(name, (_, proof))| (name, proof))
            .collect();
        Ok(Self {
            accounts,
            cost,
            stand_ins: RandomState::new(),
        })
    }

    /// The names of all accounts, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = Name> {
        self.accounts.iter().map(|(name, _)| *name)
    }

    /// The accounts for the machine, in order. Their digests are made with a key that nobody else has, so not even that of
    /// a password in plain text helps to guess it.
    pub fn entries(&self, key: &[u8; 32]) -> impl Iterator<Item = AccountEntry> {
        self.accounts.iter().map(|(name, proof)| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
            mac.update(name.as_str().as_bytes());
            mac.update(b"\n");
            mac.update(match proof {
                Proof::Plain(password) => password.reveal().as_bytes(),
                Proof::Hash(hash) => hash.as_str().as_bytes(),
            });
            AccountEntry {
                name: *name,
                credentials: CredentialsDigest(mac.finalize().into_bytes().into()),
            }
        })
    }

    /// How many accounts have their password in plain text.
    #[must_use]
    pub fn plain(&self) -> usize {
        self.count(|proof| matches!(proof, Proof::Plain(_)))
    }

    /// How many have a hash that costs less to guess than is recommended.
    #[must_use]
    pub fn weak(&self) -> usize {
        self.count(|proof| matches!(proof, Proof::Hash(hash) if hash.is_weak()))
    }

    fn count(&self, is_one: impl Fn(&Proof) -> bool) -> usize {
        let is_one = |(_, proof): &&(Name, Proof)| is_one(proof);
        self.accounts.iter().filter(is_one).count()
    }

    /// Whether that is the account's password. It takes its time.
    #[must_use]
    pub fn check(&self, name: Name, password: &Password, bench: &mut Workbench) -> bool {
        let place = self.accounts.binary_search_by_key(&name, |(name, _)| *name);
        let checked = place.unwrap_or_else(|_| self.stand_in(name));
        let equal = self
            .accounts
            .get(checked)
            .is_some_and(|(_, proof)| proof.is_of(password, self.cost, bench));
        equal & place.is_ok()
    }

    /// The account that an unknown name is checked like: always the same for a name, so that asking again tells nothing.
    fn stand_in(&self, name: Name) -> usize {
        let number = self.stand_ins.hash_one(name.as_str());
        let accounts = u64::try_from(self.accounts.len()).unwrap_or(u64::MAX);
        usize::try_from(number % accounts.max(1)).unwrap_or_default()
    }
}

impl Proof {
    fn is_of(&self, password: &Password, cost: Cost, bench: &mut Workbench) -> bool {
        match self {
            Self::Plain(plain) => {
                bench.toil(cost, password);
                Padded::new(plain).equals(&Padded::new(password)).into()
            }
            Self::Hash(hash) => hash.is_of(password, bench),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} accounts)", self.accounts.len())
    }
}

/// Whether all lines can be read.
pub(crate) fn check_lines(file_name: &str, bytes: &[u8]) -> Result<(), Problems> {
    read_lines(file_name, bytes).map(drop)
}

/// The accounts, each with the number of its line.
fn read_lines(file_name: &str, bytes: &[u8]) -> Result<BTreeMap<Name, (usize, Proof)>, Problems> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut accounts: BTreeMap<Name, (usize, Proof)> = BTreeMap::new();
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
            Ok(Some((name, proof))) => {
                accounts.insert(name, (number, proof));
            }
            Ok(None) => {}
            Err(bad) => problems.add(format!("{file_name}:{number}"), bad.to_string()),
        }
    }
    if problems.is_empty() {
        Ok(accounts)
    } else {
        Err(problems)
    }
}

/// The account on a line, if there is one.
pub(crate) fn parse_line(line: &[u8]) -> Result<Option<(Name, Proof)>, BadLine> {
    let line = str::from_utf8(line).map_err(|_| BadLine::NotUtf8)?;
    let mut fields = line.split_whitespace();
    let Some(name) = fields.next().filter(|first| !first.starts_with('#')) else {
        return Ok(None);
    };
    let name = name.parse().map_err(BadLine::Name)?;
    let field = fields.next().ok_or(BadLine::NoPassword)?;
    if fields.next().is_some() {
        return Err(BadLine::ThirdField);
    }
    let proof = if Hash::is_meant(field) {
        Proof::Hash(field.parse().map_err(BadLine::Hash)?)
    } else {
        Proof::Plain(Password::new(field.into()).map_err(BadLine::Password)?)
    };
    Ok(Some((name, proof)))
}

/// A password with zeros behind it: all have the same size, so comparing them takes the same time.
struct Padded {
    bytes: Zeroizing<[u8; PASSWORD_LEN_MAX]>,
    /// A password may end in zeros of its own.
    len: u64,
}

impl Padded {
    fn new(password: &Password) -> Self {
        let mut padded = Self {
            bytes: Zeroizing::new([0; PASSWORD_LEN_MAX]),
            len: 0,
        };
        let given = password.reveal().as_bytes();
        for (byte, given) in padded.bytes.iter_mut().zip(given) {
            *byte = *given;
        }
        padded.len = u64::try_from(given.len()).unwrap_or(u64::MAX);
        padded
    }

    fn equals(&self, other: &Self) -> Choice {
        self.bytes.as_slice().ct_eq(other.bytes.as_slice()) & self.len.ct_eq(&other.len)
    }
}

#[cfg(test)]
mod tests;
