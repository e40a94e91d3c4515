//! What the client keeps, on the thread that shows things: what goes with an effect is on the disk before the effect is answered.
//!
//! Effects that wait at the same time are kept together. When the disk fails, it is said once, and tried again until it
//! succeeds; the machine sends and acknowledges nothing meanwhile, and bounds what can wait.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use simplechat_core::client::record::Record;
use simplechat_store::FILE;
use simplechat_store::client::{Kept, Recent, Store};

use super::last_time::LastTime;
use super::{Item, takeover};
use crate::data::DataDirectory;
use crate::entropy::seed;
use crate::exit::{Exit, Failure};
use crate::settings::JoinSettings;

const MIB: u64 = 1024 * 1024;
/// After so long a disk that has failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// After so long without anything new nobody minds if the disk is busy for a moment.
const QUIET_FOR: Duration = Duration::from_secs(2);
/// After so many times that something was kept it is not put off any more, else a history had no bound while others write on.
const PUT_OFF_MAX: u32 = 1_000;

/// Where things are kept.
pub(super) struct Keeping {
    place: Place,
    /// Told when another client wants the store.
    sender: Sender<Item>,
    /// What the next client here will want to know of this one.
    last_time: LastTime,
    bytes_max: u64,
    state: State,
    /// How often something was kept since the store was tidied.
    put_off: u32,
}

enum Place {
    /// Nowhere.
    Nowhere,
    /// In a store that is made when something is to be kept: in this directory, once it is known which.
    NotYet(Option<PathBuf>),
    /// There.
    Open {
        directory: PathBuf,
        store: Box<Store>,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// Nothing is to be done.
    Tidy,
    /// What was kept can be put in its place when there is time.
    Untidy,
    /// The last try has failed.
    Failing(String),
}

/// What a client goes on from.
#[derive(Default)]
pub(super) struct Past {
    pub(super) records: Vec<Record>,
    pub(super) recent: Vec<Recent>,
}

/// What came of keeping something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Kept,
    /// For the first time since it failed.
    KeptAgain,
    /// For the first time; this is why.
    Failed(String),
    StillFailing,
}

impl Outcome {
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept | Self::KeptAgain)
    }
}

impl Keeping {
    /// Keeps nothing.
    pub(super) fn nothing(
        settings: &JoinSettings,
        sender: &Sender<Item>,
        last_time: LastTime,
    ) -> Self {
        Self::at(Place::Nowhere, settings, sender, last_time)
    }

    /// Goes on with the store in a directory, if there is one; else one is made once it is known where.
    pub(super) fn open(
        directory: Option<&Path>,
        settings: &JoinSettings,
        sender: &Sender<Item>,
        last_time: LastTime,
    ) -> Result<(Self, Past), Failure> {
        let Some(directory) = directory.filter(|directory| exists(directory)) else {
            return Ok((
                Self::at(Place::NotYet(None), settings, sender, last_time),
                Past::default(),
            ));
        };
        let open = || -> Result<(Store, Past), Box<dyn std::error::Error>> {
            DataDirectory::make(directory)?;
            let store = takeover::open(directory)?;
            let past = Past {
                records: store.load()?,
                recent: store.recent(settings.recent_conversations, settings.recent_messages)?,
            };
            Ok((store, past))
        };
        let (store, past) = open().map_err(|error| {
            let message =
                format!("{error}\nTo chat without what is kept there, join with --no-history.");
            Failure::new(Exit::Failed, message)
        })?;
        let mut keeping = Self::at(Place::NotYet(None), settings, sender, last_time);
        keeping.work_with(store, directory.into());
        Ok((keeping, past))
    }

    fn at(
        place: Place,
        settings: &JoinSettings,
        sender: &Sender<Item>,
        last_time: LastTime,
    ) -> Self {
        Self {
            place,
            sender: sender.clone(),
            last_time,
            bytes_max: u64::from(settings.history_mib) * MIB,
            state: State::Tidy,
            put_off: 0,
        }
    }

    fn work_with(&mut self, store: Store, directory: PathBuf) {
        self.last_time.keep(&directory);
        if let Ok(word) = seed() {
            let sender = self.sender.clone();
            // Without it a second client says that this one does not answer.
            let _ = takeover::listen(&directory, word, move |successor| {
                let _ = sender.send(Item::Successor(successor));
            });
        }
        let store = Box::new(store);
        self.place = Place::Open { directory, store };
    }

    /// It is known where what is to be kept belongs. `false` if there, or somewhere else, is a past that this client does not
    /// go on from.
    pub(super) fn belongs_in(&mut self, right: PathBuf) -> bool {
        match &self.place {
            Place::Nowhere => true,
            Place::Open { directory, .. } => *directory == right,
            Place::NotYet(_) if exists(&right) => false,
            Place::NotYet(_) => {
                self.place = Place::NotYet(Some(right));
                true
            }
        }
    }

    /// The store, if there is one by now.
    pub(super) fn store(&mut self) -> Option<&mut Store> {
        match &mut self.place {
            Place::Open { store, .. } => Some(store),
            Place::NotYet(_) | Place::Nowhere => None,
        }
    }

    pub(super) const fn keeps_nothing(&self) -> bool {
        matches!(self.place, Place::Nowhere)
    }

    /// Keeps what goes with effects. Without anything it only tries again.
    pub(super) fn keep(&mut self, kept: &[Kept<'_>]) -> Outcome {
        // What has no records goes into no history.
        if kept.iter().all(|kept| kept.records.is_empty()) {
            return Outcome::Kept;
        }
        match (self.try_keep(kept), &self.state) {
            (Ok(()), State::Failing(_)) => {
                self.has_kept();
                Outcome::KeptAgain
            }
            (Ok(()), State::Tidy | State::Untidy) => {
                self.has_kept();
                Outcome::Kept
            }
            (Err(why), State::Failing(before)) if why == *before => Outcome::StillFailing,
            (Err(why), _) => {
                self.state = State::Failing(why.clone());
                Outcome::Failed(why)
            }
        }
    }

    fn has_kept(&mut self) {
        self.state = State::Untidy;
        self.put_off += 1;
        if self.put_off >= PUT_OFF_MAX {
            self.tidy();
        }
    }

    fn try_keep(&mut self, kept: &[Kept<'_>]) -> Result<(), String> {
        if let Place::NotYet(Some(directory)) = &self.place {
            let directory = directory.clone();
            DataDirectory::make(&directory).map_err(|error| error.to_string())?;
            let store = takeover::open(&directory).map_err(|error| error.to_string())?;
            self.work_with(store, directory);
        }
        match self.store() {
            Some(store) => store.apply(kept).map_err(|error| error.to_string()),
            // Only a client without a store has nowhere to keep things, and it has nothing to keep.
            None => Ok(()),
        }
    }

    /// All that was shown until now has been seen.
    pub(super) fn saw_all(&mut self) {
        if let Some(store) = self.store() {
            // It may look unseen the next time, which is no harm.
            let _ = store.saw_all();
        }
    }

    /// How long to wait for something new before [`Self::use_pause`].
    pub(super) const fn pause_after(&self) -> Option<Duration> {
        match self.state {
            State::Tidy => None,
            State::Untidy => Some(QUIET_FOR),
            State::Failing(_) => Some(RETRY),
        }
    }

    /// Nothing has happened for a while.
    pub(super) fn use_pause(&mut self) {
        if self.state == State::Untidy {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        let bytes_max = self.bytes_max;
        self.state = State::Tidy;
        self.put_off = 0;
        if let Some(store) = self.store() {
            // Nothing is lost by it, and what is to be kept next says what is wrong.
            let _ = store.tidy(bytes_max);
        }
    }

    /// Ends it in order.
    pub(super) fn close(self) {
        if let Place::Open { store, .. } = self.place {
            // What was acknowledged is kept in any case.
            let _ = store.close();
        }
    }
}

fn exists(directory: &Path) -> bool {
    directory.join(FILE).exists()
}
