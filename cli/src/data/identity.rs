//! Who a server and a device are: the keys that they keep.

use std::fmt;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use simplechat_core::key::{KEY_LEN, PublicKey, StaticKey};
use simplechat_core::name::Name;
use simplechat_core::rng::SecretSource;
use zeroize::Zeroizing;

use super::key_file::{self, Kind};
use super::{DataDirectory, DataError};

const SERVER_KEY: &str = "server.key";
const TICKET_KEY: &str = "ticket.key";

/// What makes a server the same after a restart.
pub struct ServerIdentity {
    /// What users know it by.
    pub key: StaticKey,
    /// What it seals tickets under, and opens its own with.
    pub ticket_key: Zeroizing<[u8; KEY_LEN]>,
}

impl ServerIdentity {
    /// The keys in a directory; what is missing is made.
    ///
    /// # Errors
    ///
    /// When a key cannot be read or written, is damaged, or others can get at it.
    pub fn load(
        directory: &DataDirectory,
        secrets: &mut dyn SecretSource,
    ) -> Result<Self, DataError> {
        let key = key_file::load_or_make(directory, SERVER_KEY, Kind::Server, secrets)?;
        let ticket_key = key_file::load_or_make(directory, TICKET_KEY, Kind::Ticket, secrets)?;
        Ok(Self {
            key: StaticKey::from_secret(key),
            ticket_key,
        })
    }

    /// What keys the digests of credentials that its tickets are bound to: another key, from the same secret.
    #[must_use]
    pub fn digest_key(&self) -> Zeroizing<[u8; KEY_LEN]> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.ticket_key).expect("a key may have any length");
        mac.update(b"simplechat digests of credentials");
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// What the server in a directory is known by, if it was ever started.
    ///
    /// # Errors
    ///
    /// When its key cannot be read, is damaged, or others can get at it.
    pub fn public_key(directory: &DataDirectory) -> Result<Option<PublicKey>, DataError> {
        let secret = key_file::load(directory, SERVER_KEY, Kind::Server)?;
        Ok(secret.map(|secret| StaticKey::from_secret(secret).public()))
    }
}

impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerIdentity({:?})", self.key.public())
    }
}

/// This device's key for an account at a server, made at the first use.
///
/// # Errors
///
/// When it cannot be read or written, is damaged, or others can get at it.
pub fn client_key(
    directory: &DataDirectory,
    server: &PublicKey,
    account: Name,
    secrets: &mut dyn SecretSource,
) -> Result<StaticKey, DataError> {
    let name = client_key_name(server, account);
    key_file::load_or_make(directory, &name, Kind::Client, secrets).map(StaticKey::from_secret)
}

/// Where what this device keeps for an account at a server is: beside its key.
#[must_use]
pub fn client_store(directory: &DataDirectory, server: &PublicKey, account: Name) -> PathBuf {
    directory.file(&client_name(server, account))
}

fn client_key_name(server: &PublicKey, account: Name) -> String {
    format!("{}.key", client_name(server, account))
}

/// The name of what belongs to an account at a server: from it nobody learns either, and nothing in them can lead elsewhere.
fn client_name(server: &PublicKey, account: Name) -> String {
    let digest = Sha256::new_with_prefix(b"simplechat client key")
        .chain_update(server.0)
        .chain_update(account.as_str())
        .finalize();
    format!("client-{}", HEXLOWER.encode(&digest))
}
