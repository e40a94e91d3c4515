//! What earlier servers have left in the store, and the accounts among it that are gone since.

use std::collections::BTreeSet;
use std::path::Path;

use simplechat_core::name::Name;
use simplechat_core::server::config::StoreKind;
use simplechat_core::server::{AccountEntry, CredentialsDigest, Missing, Server, check_missing};
use simplechat_store::{Store, StoreError};

use crate::data::Part;
use crate::exit::{Exit, Failure};
use crate::settings::ServeSettings;

/// What there is to go on from.
pub(super) struct Past {
    /// Where more goes; `None` if nothing is to be kept on disk.
    pub(super) store: Option<Store>,
    /// Accounts that something is kept for and that are not in the accounts file.
    gone: Vec<Name>,
}

impl Past {
    /// Opens the store, unless everything is to be kept in memory. `missing` is what it means if over half of those for whom
    /// something is kept have no account any more.
    pub(super) fn open(
        settings: &ServeSettings,
        entries: &[AccountEntry],
        missing: Missing,
    ) -> Result<Self, Failure> {
        match settings.store {
            StoreKind::Lasting => {
                let failed = |error: &dyn ToString| Failure::new(Exit::Failed, error.to_string());
                let path = Part::Server
                    .path(settings.data.as_deref())
                    .map_err(|error| failed(&error))?;
                let (past, known) = Self::read(&path, entries).map_err(|error| failed(&error))?;
                if missing == Missing::Doubtful {
                    past.check(known, settings)?;
                }
                Ok(past)
            }
            StoreKind::Passing => Ok(Self {
                store: None,
                gone: Vec::new(),
            }),
        }
    }

    fn read(path: &Path, entries: &[AccountEntry]) -> Result<(Self, usize), StoreError> {
        let store = Store::open(path)?;
        let known = store.accounts()?;
        let present: BTreeSet<_> = entries.iter().map(|entry| entry.name).collect();
        let past = Self {
            gone: known.difference(&present).copied().collect(),
            store: Some(store),
        };
        Ok((past, known.len()))
    }

    fn check(&self, known: usize, settings: &ServeSettings) -> Result<(), Failure> {
        check_missing(self.gone.len(), known).map_err(|rejected| {
            let message = format!(
                "{rejected} in {}, which may be a mistake, and what is kept for them would be erased. If it is none, \
                 start the server with --forget-missing",
                settings.credentials.display()
            );
            Failure::new(Exit::Usage, message)
        })
    }

    /// Whether accounts are gone, which the machine has to remove.
    pub(super) fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// These accounts, and with them those that are gone: nobody can log in to one of those.
    pub(super) fn with_gone(&self, entries: &[AccountEntry]) -> Vec<AccountEntry> {
        let gone = self.gone.iter().map(|name| AccountEntry {
            name: *name,
            credentials: CredentialsDigest([0; 32]),
        });
        entries.iter().copied().chain(gone).collect()
    }

    /// The server as what was recorded makes it.
    pub(super) fn restore(&self, mut server: Server) -> Result<Server, Failure> {
        let Some(store) = &self.store else {
            return Ok(server);
        };
        // Not all at once: what is kept for many users is in memory once.
        let loaded = store.load_each(|record| server.restore_next(record));
        loaded.map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(server)
    }
}
